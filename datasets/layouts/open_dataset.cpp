#include "datasets/layouts/open_dataset.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_reader.h"
#include "datasets/layouts/adashare.h"
#include "datasets/layouts/celeba.h"
#include "datasets/layouts/cityscapes.h"
#include "datasets/layouts/cityscapes_mtan.h"
#include "datasets/layouts/idx.h"
#include "datasets/layouts/nyuv2_mat.h"
#include "datasets/layouts/nyuv2_mtan.h"
#include "datasets/layouts/taskonomy/taskonomy.h"
#include "datasets/packed/packed.h"
#include "datasets/synthetic/synthetic_rooms.h"

namespace mtlprune {
namespace {

using Opened = std::shared_ptr<const Dataset>;

Opened open_adashare(const DatasetRequest& r) {
    return std::make_shared<AdaShareNyuv2>(AdaShareOptions{r.folder, r.split, r.classes, r.limit});
}

Opened open_mat(const DatasetRequest& r) {
    return std::make_shared<Nyuv2Mat>(Nyuv2MatOptions{r.folder, r.split, r.classes, r.limit});
}

Opened open_mtan(const DatasetRequest& r) {
    MtanNyuv2Options options{r.folder, r.split, r.limit};
    if (r.classes != 13) throw Error("NYUv2 in MTAN's layout", "classes", "13", std::to_string(r.classes));
    return std::make_shared<MtanNyuv2>(options);
}

Opened open_taskonomy(const DatasetRequest& r) {
    TaskonomyOptions options;
    options.folder = r.folder;
    options.split = r.split;
    options.limit = r.limit;
    return std::make_shared<Taskonomy>(options);
}

Opened open_cityscapes(const DatasetRequest& r) {
    CityscapesOptions options{r.folder, r.split, r.classes};
    options.limit = r.limit;
    return std::make_shared<Cityscapes>(options);
}

Opened open_mtan_cityscapes(const DatasetRequest& r) {
    return std::make_shared<MtanCityscapes>(MtanCityscapesOptions{r.folder, r.split, r.classes, r.limit});
}

Opened open_packed(const DatasetRequest& r) {
    return std::make_shared<PackedDataset>(PackedOptions{r.folder, r.split, r.limit});
}

Opened open_rooms(const DatasetRequest& r) {
    SyntheticRoomsOptions options;
    options.split = r.split;
    if (r.limit > 0) options.count = r.limit;
    return std::make_shared<SyntheticRooms>(options);
}

Opened open_idx(const DatasetRequest& r) {
    IdxOptions options{r.folder, r.split};
    options.classes = r.classes;
    options.limit = r.limit;
    return std::make_shared<IdxImages>(options);
}

Opened open_celeba(const DatasetRequest& r) {
    CelebAOptions options{r.folder, r.split};
    options.limit = r.limit;
    return std::make_shared<CelebA>(options);
}

}  // namespace

std::vector<DatasetLayout>& dataset_layouts() {
    static std::vector<DatasetLayout> layouts = {
        {"synthetic_rooms",
         {},
         "ray-cast rooms drawn on demand: segmentation (13 classes), normals, depth",
         {"train", "test"},
         false,
         13,
         open_rooms},
        {"nyuv2_adashare",
         {"nyuv2", "adashare"},
         "NYUv2 in the AdaShare layout (docs/datasets/nyuv2.md)",
         {"train", "test"},
         true,
         40,
         open_adashare},
        {"nyuv2_mat",
         {},
         "NYUv2 as published, one MATLAB file (docs/datasets/nyuv2.md)",
         {"train", "test"},
         true,
         40,
         open_mat},
        {"nyuv2_mtan",
         {},
         "NYUv2 in MTAN's layout, 13 classes (docs/datasets/nyuv2.md)",
         {"train", "val"},
         true,
         13,
         open_mtan},
        {"taskonomy",
         {},
         "Taskonomy, also tiny: 17 classes, normals, depth, keypoints, edges (docs/datasets/taskonomy.md)",
         {"train", "val", "test"},
         true,
         17,
         open_taskonomy},
        {"cityscapes",
         {},
         "Cityscapes as published: 19 or 7 classes, depth (docs/datasets/cityscapes.md)",
         {"train", "val"},
         true,
         19,
         open_cityscapes},
        {"cityscapes_mtan",
         {},
         "Cityscapes in MTAN's layout: 2, 7 or 19 classes, inverse depth (docs/datasets/cityscapes.md)",
         {"train", "val"},
         true,
         7,
         open_mtan_cityscapes},
        {"packed",
         {},
         "any data set in one file, written by data pack (docs/datasets/packed.md)",
         {"train", "test"},
         true,
         0,
         open_packed},
        {"idx",
         {},
         "MNIST and its relatives, one class per image (docs/datasets/idx.md)",
         {"train", "test"},
         true,
         10,
         open_idx},
        {"celeba",
         {},
         "CelebA faces, 40 binary attributes per image (docs/datasets/celeba.md)",
         {"train", "valid", "test"},
         true,
         0,
         open_celeba},
    };
    return layouts;
}

std::vector<std::string> dataset_layout_names() {
    std::vector<std::string> names;
    for (const auto& layout : dataset_layouts()) {
        names.insert(names.end(), layout.aliases.begin(), layout.aliases.end());
        names.push_back(layout.name);
    }
    return names;
}

const DatasetLayout& dataset_layout(const std::string& name) {
    for (const auto& layout : dataset_layouts()) {
        const auto& aliases = layout.aliases;
        if (layout.name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end())
            return layout;
    }
    throw Error("data set", "layout", "one that mtlprune list names",
                "'" + name + "'" + did_you_mean(name, dataset_layout_names()));
}

std::shared_ptr<const Dataset> open_dataset(const DatasetRequest& request) {
    const auto& layout = dataset_layout(request.layout);
    if (layout.needs_folder && request.folder.empty())
        throw Error("data set", layout.name, "a folder (" + layout.name + "=DIR)", "none");
    DatasetRequest resolved = request;
    if (resolved.classes == 0) resolved.classes = layout.classes;
    return layout.open(resolved);
}

DatasetRequest parse_dataset(const std::string& text) {
    const size_t equals = text.find('=');
    DatasetRequest request;
    request.layout = text.substr(0, equals);
    const auto& layout = dataset_layout(request.layout);
    if (equals != std::string::npos) request.folder = text.substr(equals + 1);
    if (layout.needs_folder == request.folder.empty())
        throw Error("data set", "'" + text + "'",
                    layout.needs_folder ? request.layout + "=DIR" : request.layout + " without a folder",
                    request.folder.empty() ? "no folder" : "'" + request.folder.string() + "'");
    return request;
}

}  // namespace mtlprune
