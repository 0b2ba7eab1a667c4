#include "datasets/layouts/cityscapes_labels.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "datasets/contract/label_checks.h"

namespace mtlprune {
namespace {

constexpr int64_t kIds = 34;

struct EvaluatedClass {
    const char* name;
    uint8_t id;
    uint8_t category;
};

constexpr EvaluatedClass kEvaluated[] = {
    {"road", 7, 0},        {"sidewalk", 8, 0},    {"building", 11, 1},      {"wall", 12, 1},
    {"fence", 13, 1},      {"pole", 17, 2},       {"traffic light", 19, 2}, {"traffic sign", 20, 2},
    {"vegetation", 21, 3}, {"terrain", 22, 3},    {"sky", 23, 4},           {"person", 24, 5},
    {"rider", 25, 5},      {"car", 26, 6},        {"truck", 27, 6},         {"bus", 28, 6},
    {"train", 31, 6},      {"motorcycle", 32, 6}, {"bicycle", 33, 6}};
constexpr const char* kCategories[] = {"flat", "construction", "object", "nature", "sky", "human", "vehicle"};

void check_number(int64_t classes) {
    if (classes != 7 && classes != 19)
        throw Error("Cityscapes", "classes", "7 or 19", std::to_string(classes));
}

cv::Mat table_of(int64_t classes) {
    cv::Mat table(1, 256, CV_8UC1, cv::Scalar(kIgnore));
    uint8_t train_id = 0;
    for (const EvaluatedClass& entry : kEvaluated)
        table.at<uint8_t>(entry.id) = classes == 19 ? train_id++ : entry.category;
    return table;
}

}  // namespace

std::vector<std::string> cityscapes_class_names(int64_t classes) {
    check_number(classes);
    if (classes == 7) return {std::begin(kCategories), std::end(kCategories)};
    std::vector<std::string> names;
    for (const EvaluatedClass& entry : kEvaluated) names.emplace_back(entry.name);
    return names;
}

cv::Mat map_cityscapes_ids(const cv::Mat& ids, int64_t classes, const std::string& place) {
    check_number(classes);
    check_classes(ids, kIds, place);
    cv::Mat labels;
    cv::LUT(ids, table_of(classes), labels);
    return labels;
}

cv::Mat map_cityscapes_train_ids(const cv::Mat& ids, int64_t classes, const std::string& place) {
    check_number(classes);
    check_classes(ids, static_cast<int64_t>(std::size(kEvaluated)), place);
    cv::Mat table(1, 256, CV_8UC1, cv::Scalar(kIgnore)), labels;
    for (size_t id = 0; id < std::size(kEvaluated); ++id)
        table.at<uint8_t>(static_cast<int>(id)) =
            classes == 19 ? static_cast<uint8_t>(id) : kEvaluated[id].category;
    cv::LUT(ids, table, labels);
    return labels;
}

}  // namespace mtlprune
