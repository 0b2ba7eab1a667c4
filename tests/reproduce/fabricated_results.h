// A results folder with invented numbers, for tests only.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/atomic_file.h"
#include "training/metrics.h"

namespace mtlprune {

/// The three primary metrics of one invented network.
struct FabricatedQuality {
    double pixel_accuracy = 0.5;
    double angle_mean = 20;
    double rel_err = 0.3;
};

/// Writes every table the report reads. Sizes at event e: 1000 * 2^(-e) thousand parameters; configuration k
/// is event k.
struct FabricatedResults {
    int seeds = 3;
    int events = 4;
    std::function<FabricatedQuality(const std::string& criterion, int seed, int event)> iterative =
        [](const std::string&, int, int) { return FabricatedQuality{}; };
    std::function<FabricatedQuality(const std::string& criterion, int seed, int configuration)> retrained =
        iterative;
    FabricatedQuality constant{0.1, 40, 0.9};
    nlohmann::json run = {
        {"name", "quick"}, {"scale", "quick"}, {"seconds", 75}, {"experiment", nlohmann::json::object()}};

    static std::string columns() {
        return "loss_segmentation,loss_normals,loss_depth,pixel_accuracy,miou,angle_mean,angle_median,within_"
               "11_25,"
               "within_22_5,within_30,abs_err,rel_err,delta1,delta2,delta3";
    }

    static std::string values(const FabricatedQuality& quality) {
        return fmt::format("1,0.1,0.5,{},0.2,{},18,30,60,80,0.7,{},50,70,90", quality.pixel_accuracy,
                           quality.angle_mean, quality.rel_err);
    }

    void write(const std::filesystem::path& folder) const {
        std::string pruned = "criterion,seed,event,iteration,filters,parameters,macs," + columns() + "\n";
        std::string scratch = "criterion,seed,configuration,event,lr,parameters,macs," + columns() + "\n";
        std::string widths = "criterion,seed,event,layer,width\n",
                    cosine = "criterion,seed,event,layer,average_cosine\n";
        std::string dense = "seed," + columns() + "\n";
        for (int seed = 0; seed < seeds; ++seed) {
            dense += fmt::format("{},{}\n", seed, values({}));
            for (const std::string criterion : {"taylor", "cosprune"}) {
                for (int event = 0; event < events; ++event) {
                    const int parameters = 1000000 >> event;
                    pruned += fmt::format("{},{},{},{},{},{},{},{}\n", criterion, seed, event, 10 * event,
                                          64 - event, parameters, 100 * parameters,
                                          values(iterative(criterion, seed, event)));
                    scratch +=
                        fmt::format("{},{},{},{},0.001,{},{},{}\n", criterion, seed, event, event, parameters,
                                    100 * parameters, values(retrained(criterion, seed, event)));
                    for (int layer = 1; layer <= 2; ++layer) {
                        widths += fmt::format("{},{},{},{},{}\n", criterion, seed, event, layer, 8 - event);
                        if (criterion == "cosprune")
                            cosine +=
                                fmt::format("{},{},{},{},{}\n", criterion, seed, event, layer, 0.1 * layer);
                    }
                }
            }
        }
        write_file_atomically(folder / "iterative.csv", pruned);
        write_file_atomically(folder / "retrained.csv", scratch);
        write_file_atomically(folder / "widths.csv", widths);
        write_file_atomically(folder / "cosine.csv", cosine);
        write_file_atomically(folder / "dense.csv", dense);
        write_file_atomically(folder / "constant_predictor.csv",
                              fmt::format("metric,value\npixel_accuracy,{}\nangle_mean,{}\nrel_err,{}\n",
                                          constant.pixel_accuracy, constant.angle_mean, constant.rel_err));
        write_file_atomically(folder / "metrics.json",
                              metrics_json(metric_definitions(nyuv2_tasks(40))).dump());
        write_file_atomically(folder / "run.json", run.dump());
    }
};

}  // namespace mtlprune
