// What torchvision's networks compute and cost (tests/models/torchvision_outputs.csv).
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace mtlprune {

struct TorchvisionOutputs {
    std::string backbone;                               ///< our spec of it
    std::map<std::string, std::vector<double>> values;  ///< "cost", "map0", ..., "scores"
    /// Classes of the linear classifier that the counts include.
    int64_t classes() const { return is_small() ? 10 : 1000; }
    int64_t parameters() const { return static_cast<int64_t>(values.at("cost").at(0)); }
    int64_t macs() const { return static_cast<int64_t>(values.at("cost").at(1)); }
    /// Height and width of the image whose multiply-accumulates were counted.
    int64_t cost_side() const { return is_small() ? 32 : 224; }
    /// Of the image that the values belong to.
    int64_t side() const { return is_small() ? 32 : 64; }

  private:
    bool is_small() const { return backbone == "resnet20" || backbone == "resnet56"; }
};

inline void PrintTo(const TorchvisionOutputs& outputs, std::ostream* out) {
    *out << outputs.backbone;
}

inline std::vector<TorchvisionOutputs> torchvision_outputs() {
    std::ifstream file(MTLPRUNE_SOURCE_DIR "/tests/models/torchvision_outputs.csv");
    std::vector<TorchvisionOutputs> networks;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("#") || line.starts_with("network,")) continue;
        std::istringstream cells(line);
        std::string backbone, quantity;
        std::getline(cells, backbone, ',');
        std::getline(cells, quantity, ',');
        if (networks.empty() || networks.back().backbone != backbone) networks.push_back({backbone, {}});
        auto& values = networks.back().values[quantity];
        for (double value = 0; cells >> value;) values.push_back(value);
    }
    return networks;
}

/// "resnet50_dilated", for test names.
inline std::string torchvision_test_name(const testing::TestParamInfo<TorchvisionOutputs>& info) {
    auto name = info.param.backbone;
    for (char& character : name)
        if (std::isalnum(static_cast<unsigned char>(character)) == 0) character = '_';
    return name;
}

}  // namespace mtlprune
