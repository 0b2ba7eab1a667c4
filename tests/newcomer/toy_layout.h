// A data set that somebody adds: this file, and the one line that registers it, is all it takes.
#pragma once

#include "datasets/layouts/open_dataset.h"
#include "tests/toy_dataset.h"

namespace mtlprune {

/// Two segmentations and an inverse depth.
inline DatasetLayout toy_layout() {
    return {"toy_frames",
            {},
            "four frames of a newcomer: objects, materials, nearness",
            {"train", "test"},
            /*needs_folder=*/false,
            /*classes=*/0,
            [](const DatasetRequest& request) -> std::shared_ptr<const Dataset> {
                return std::make_shared<ToyDataset>(request.split);
            }};
}

}  // namespace mtlprune
