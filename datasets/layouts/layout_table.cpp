#include "datasets/layouts/open_dataset.h"

#include "base/error.h"
#include "datasets/conventions/depth_evidence.h"
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

template <typename T>
T option(const DatasetRequest& request, const char* name) {
    return request.options.at(name).get<T>();
}

Opened open_adashare(const DatasetRequest& r) {
    AdaShareOptions options{r.folder, r.split, r.classes, r.limit};
    options.normal_axes = option<std::string>(r, "normal_axes");
    options.depth_unit = option<std::string>(r, "depth_unit");
    options.first_class = option<int64_t>(r, "first_class");
    options.recognise_classes = !r.classes_given && options.first_class == 0;
    return std::make_shared<AdaShareNyuv2>(options);
}

Opened open_mat(const DatasetRequest& r) {
    return std::make_shared<Nyuv2Mat>(Nyuv2MatOptions{r.folder, r.split, r.classes, r.limit});
}

Opened open_mtan(const DatasetRequest& r) {
    MtanNyuv2Options options{r.folder, r.split, r.limit};
    if (r.classes != 13) throw Error("NYUv2 in MTAN's layout", "classes", "13", std::to_string(r.classes));
    options.normal_axes = option<std::string>(r, "normal_axes");
    options.depth_unit = option<std::string>(r, "depth_unit");
    return std::make_shared<MtanNyuv2>(options);
}

Opened open_taskonomy(const DatasetRequest& r) {
    TaskonomyOptions options;
    options.folder = r.folder;
    options.split = r.split;
    options.limit = r.limit;
    options.partition = option<std::string>(r, "partition");
    options.split_file = option<std::string>(r, "split_file");
    options.allow_incomplete = option<bool>(r, "allow_incomplete");
    options.tasks = taskonomy_modalities_of(r.tasks, "depth_" + option<std::string>(r, "depth"));
    return std::make_shared<Taskonomy>(options);
}

Opened open_cityscapes(const DatasetRequest& r) {
    CityscapesOptions options{r.folder, r.split, r.classes};
    options.limit = r.limit;
    const auto depth = option<std::string>(r, "depth");
    options.depth = depth == "metres"    ? CityscapesDepth::metres
                    : depth == "inverse" ? CityscapesDepth::inverse
                                         : CityscapesDepth::automatic;
    options.train_ids = option<std::string>(r, "label_ids") == "train";
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
    options.classes_given = r.classes_given;
    options.files = option<std::string>(r, "files");
    options.limit = r.limit;
    return std::make_shared<IdxImages>(options);
}

Opened open_celeba(const DatasetRequest& r) {
    CelebAOptions options{r.folder, r.split, r.tasks};
    options.limit = r.limit;
    return std::make_shared<CelebA>(options);
}

Option depth_unit_option() {
    return {"depth_unit", "metres", "of the files' depths", depth_units()};
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
         open_adashare,
         {{"normal_axes", "right forward up", "of the files' red, green and blue"},
          depth_unit_option(),
          {"first_class", 0, "the number of the first class; 1: 0 means unlabelled"}},
         {"nyu_v2_3task.json"},
         adashare_splits},
        {"nyuv2_mat",
         {},
         "NYUv2 as published, one MATLAB file (docs/datasets/nyuv2.md)",
         {"train", "test"},
         true,
         40,
         open_mat,
         {},
         {"nyu_depth_v2_labeled.mat"}},
        {"nyuv2_mtan",
         {},
         "NYUv2 in MTAN's layout, 13 classes (docs/datasets/nyuv2.md)",
         {"train", "val"},
         true,
         13,
         open_mtan,
         {{"normal_axes", "", "of the files' channels, e.g. 'right forward up'; empty: as recognised"},
          depth_unit_option()},
         {"train/normal"}},
        {"taskonomy",
         {},
         "Taskonomy, also tiny: 17 classes, normals, depth, keypoints, edges (docs/datasets/taskonomy.md)",
         {"train", "val", "test"},
         true,
         17,
         open_taskonomy,
         {{"partition", "tiny", "which list of buildings", {"tiny", "medium", "full", "fullplus"}},
          {"split_file", "", "CSV, zip or JSON of the splits; empty: found in the folder"},
          {"allow_incomplete", false, "leave out buildings and frames that lack files"},
          {"depth", "zbuffer", "which kind of depth", {"zbuffer", "euclidean"}}},
         {"taskonomy.json", "train_val_test_tiny.csv", "splits_taskonomy.zip", "rgb/taskonomy"}},
        {"cityscapes",
         {},
         "Cityscapes as published: 19 or 7 classes, depth (docs/datasets/cityscapes.md)",
         {"train", "val"},
         true,
         19,
         open_cityscapes,
         {{"depth",
           "automatic",
           "of the disparity; automatic: metres where there is camera/",
           {"automatic", "metres", "inverse"}},
          {"label_ids", "label", "what the files *_labelIds.png hold", {"label", "train"}}},
         {"leftImg8bit"}},
        {"cityscapes_mtan",
         {},
         "Cityscapes in MTAN's layout: 2, 7 or 19 classes, inverse depth (docs/datasets/cityscapes.md)",
         {"train", "val"},
         true,
         7,
         open_mtan_cityscapes,
         {},
         {"train/label_7", "train/label_19", "train/label_2"}},
        {"packed",
         {},
         "any data set in one file, written by data pack (docs/datasets/packed.md)",
         {"train", "test"},
         true,
         0,
         open_packed,
         {},
         {"*.h5"},
         packed_splits},
        {"idx",
         {},
         "MNIST and its relatives, one class per image (docs/datasets/idx.md)",
         {"train", "test"},
         true,
         10,
         open_idx,
         {{"files", "", "how the files' names start where there are several sets, e.g. emnist-letters"}},
         {"*-images-idx3-ubyte", "*-images-idx3-ubyte.gz", "*-images.idx3-ubyte"},
         idx_splits},
        {"celeba",
         {},
         "CelebA faces, 40 binary attributes per image (docs/datasets/celeba.md)",
         {"train", "valid", "test"},
         true,
         0,
         open_celeba,
         {},
         {"list_attr_celeba.txt", "list_attr_celeba.csv", "Anno/list_attr_celeba.txt"}},
    };
    return layouts;
}

}  // namespace mtlprune
