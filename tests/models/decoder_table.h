// decoders.csv: what export_decoders.py computed.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"

namespace mtlprune {

struct DecoderRow {
    std::string sizes;  ///< "1x64x32x48"; empty for a count
    std::vector<double>
        values;  ///< of a map: samples, evenly spread, then the mean size of all; or the count
};

/// By network and quantity ("parameters", "macs" or a map's number).
inline const std::map<std::pair<std::string, std::string>, DecoderRow>& decoder_table() {
    static const auto table = [] {
        std::map<std::pair<std::string, std::string>, DecoderRow> rows;
        std::istringstream file(read_file(MTLPRUNE_SOURCE_DIR "/tests/models/decoders.csv"));
        std::string network, quantity, values;
        std::getline(file, network);
        while (std::getline(file, network, ',')) {
            DecoderRow row;
            std::getline(file, quantity, ',');
            std::getline(file, row.sizes, ',');
            std::getline(file, values);
            std::istringstream numbers(values);
            for (double value; numbers >> value;) row.values.push_back(value);
            rows[{network, quantity}] = row;
        }
        return rows;
    }();
    return table;
}

inline int64_t decoder_count(const std::string& network, const std::string& quantity) {
    return static_cast<int64_t>(decoder_table().at({network, quantity}).values.at(0));
}

}  // namespace mtlprune
