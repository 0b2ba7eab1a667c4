// Small files as MATLAB writes them, made with the HDF5 and matio libraries.
#pragma once

#include <hdf5.h>
#include <matio.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/datasets/adashare_folder.h"

namespace mtlprune {

/// One matrix variable of doubles, 1 x n, in a version 5 file that may exist already.
inline void add_matlab_doubles(const std::filesystem::path& path, const std::string& name,
                               std::vector<double> values, bool compressed = true) {
    mat_t* file = std::filesystem::exists(path) ? Mat_Open(path.c_str(), MAT_ACC_RDWR)
                                                : Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
    size_t dimensions[2] = {1, values.size()};
    matvar_t* variable =
        Mat_VarCreate(name.c_str(), MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dimensions, values.data(), 0);
    Mat_VarWrite(file, variable, compressed ? MAT_COMPRESSION_ZLIB : MAT_COMPRESSION_NONE);
    Mat_VarFree(variable);
    Mat_Close(file);
}

/// A labelled NYUv2 file of `frames` random frames of width x height with 40 class names.
struct MatFixture {
    int frames = 3, width = 9, height = 7;
    hsize_t chunk_width = 4;  ///< chunks need not cover a whole frame
    bool compressed = true;   ///< shuffle + deflate; else one after the other
    int names = 40;
    hid_t label_type = H5T_STD_U16LE;

    cv::Mat image(int k) const { return random_pixels(height, width, 3, 10 * k); }
    cv::Mat depth(int k) const { return random_depth(height, width, 10 * k + 1); }
    /// 0 = unlabelled, 1..40.
    cv::Mat labels(int k) const { return random_pixels(height, width, 1, 10 * k + 2, 41); }

    void write(const std::filesystem::path& path) const {
        const hid_t properties = H5Pcreate(H5P_FILE_CREATE);
        H5Pset_userblock(properties, 512);
        const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties, H5P_DEFAULT);
        std::vector<uint8_t> images;
        std::vector<float> depths;
        std::vector<uint16_t> all_labels;
        for (int k = 0; k < frames; ++k) {
            const cv::Mat bgr = image(k), metres = depth(k), classes = labels(k);
            for (int c = 2; c >= 0; --c)
                for (int x = 0; x < width; ++x)
                    for (int y = 0; y < height; ++y) images.push_back(bgr.at<cv::Vec3b>(y, x)[c]);
            for (int x = 0; x < width; ++x)
                for (int y = 0; y < height; ++y) {
                    depths.push_back(metres.at<float>(y, x));
                    all_labels.push_back(classes.at<uint8_t>(y, x));
                }
        }
        const hsize_t n = frames, w = width, h = height;
        add(file, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, {n, 3, w, h}, images.data());
        add(file, "depths", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {n, w, h}, depths.data());
        add(file, "labels", label_type, H5T_NATIVE_UINT16, {n, w, h}, all_labels.data());
        add_names(file);
        H5Fclose(file);
        H5Pclose(properties);
        std::fstream header(path, std::ios::in | std::ios::out | std::ios::binary);
        header << "MATLAB 7.3 MAT-file";
    }

  private:
    void add(hid_t file, const char* name, hid_t type, hid_t memory, std::vector<hsize_t> shape,
             const void* data) const {
        const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
        const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
        if (compressed) {
            auto chunk = shape;
            chunk[0] = 2;
            chunk[shape.size() - 2] = chunk_width;
            H5Pset_chunk(layout, static_cast<int>(chunk.size()), chunk.data());
            H5Pset_shuffle(layout);
            H5Pset_deflate(layout, 3);
        }
        const hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
        H5Dwrite(array, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
        H5Dclose(array);
        H5Pclose(layout);
        H5Sclose(space);
    }
    void add_names(hid_t file) const {
        std::vector<hobj_ref_t> references(names);
        H5Gclose(H5Gcreate2(file, "#refs#", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        for (int i = 0; i < names; ++i) {
            const std::string text = fmt::format("class{:02}", i + 1), name = fmt::format("#refs#/n{}", i);
            const std::vector<uint16_t> characters(text.begin(), text.end());
            const hsize_t shape[2] = {characters.size(), 1};
            const hid_t space = H5Screate_simple(2, shape, nullptr);
            const hid_t array =
                H5Dcreate2(file, name.c_str(), H5T_STD_U16LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
            H5Dwrite(array, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, characters.data());
            H5Rcreate(&references[i], file, name.c_str(), H5R_OBJECT, -1);
            H5Dclose(array);
            H5Sclose(space);
        }
        const hsize_t shape[2] = {1, static_cast<hsize_t>(names)};
        const hid_t space = H5Screate_simple(2, shape, nullptr);
        const hid_t cells =
            H5Dcreate2(file, "names", H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(cells, H5T_STD_REF_OBJ, H5S_ALL, H5S_ALL, H5P_DEFAULT, references.data());
        H5Dclose(cells);
        H5Sclose(space);
    }
};

}  // namespace mtlprune
