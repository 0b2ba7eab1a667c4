#include "datasets/layouts/cityscapes_mtan.h"

#include <fmt/format.h>

#include "base/error.h"
#include "datasets/layouts/frame_files.h"

namespace mtlprune {
namespace {

constexpr const char* kMtanSubject = "Cityscapes (MTAN layout)";

std::string label_folder(const MtanFolder& files, int64_t classes, const std::filesystem::path& folder) {
    if (classes != 2 && classes != 7 && classes != 19)
        throw Error(kMtanSubject, "classes", "2, 7 or 19", std::to_string(classes));
    const std::string named = fmt::format("label_{}", classes);
    if (files.has(named)) return named;
    if (classes == 7 && files.has("label")) return "label";
    throw Error(kMtanSubject, (folder / files.split()).string(), "a folder " + named, "none");
}

}  // namespace

MtanCityscapes::MtanCityscapes(MtanCityscapesOptions options)
    : files_(options.folder, options.split, options.limit, kMtanSubject),
      classes_(options.classes),
      labels_(label_folder(files_, classes_, options.folder)),
      tasks_{{"segmentation", TaskKind::segmentation, classes_}, inverse_depth_task()} {}

Sample MtanCityscapes::get(int64_t index) const {
    Sample sample;
    sample.id = id(index);
    sample.image = files_.read_image(index);
    const cv::Mat classes = files_.read_classes(index, labels_, classes_), depth = files_.read_depth(index);
    const auto image = files_.file(index, "image");
    check_frame_size(classes, files_.file(index, labels_), sample.image, image);
    check_frame_size(depth, files_.file(index, "depth"), sample.image, image);
    sample.labels = {{classes}, {depth}};
    return sample;
}

std::string MtanCityscapes::description() const {
    return fmt::format("{}, split {}, {} classes, inverse depth: {} frames of {}", kMtanSubject,
                       files_.split(), classes_, size(), size_text(files_.read_image(0)));
}

}  // namespace mtlprune
