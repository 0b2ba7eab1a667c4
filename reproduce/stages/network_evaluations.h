// Which networks of a stage are evaluated on which split, and which of them is reported.
#pragma once

#include <optional>
#include <vector>

#include "reproduce/results/image_metrics_file.h"
#include "reproduce/stages/stage_kinds.h"
#include "training/trainer.h"

namespace mtlprune {

/// The evaluations of a training, or of one window of iterative pruning after the other. What is looked at on
/// the way are frames held out of training; the test split is for the last network and the selected one at
/// the end. With selection "paper" the test split takes the place of the held-out frames.
class NetworkEvaluations {
  public:
    /// Reads the splits that the stage's recipe asks for; only in the first of several processes, whose it
    /// is.
    explicit NetworkEvaluations(StageContext& context);

    /// On the way; `key`: event and step of the network as it is now.
    void look(Trainer& trainer, const TableRow& key);
    /// What was looked at so far cannot be selected.
    void forget() { best_iteration_ = -1; }
    /// At the end of a training or window: look(), then the test split. Adds a row "selected_step" and
    /// returns that step. The next look() begins another window.
    int64_t close(Trainer& trainer, const TableRow& key);

    Table& rows() { return rows_; }
    /// Of the selected network since the last close(), as module_state().
    const TensorMap& selected_network() const { return best_network_; }
    /// Of the networks that were evaluated on the test split by close().
    const ImageMetricsFile& images() const { return images_; }

    TensorMap state() const;
    void load_state(const TensorMap& state);

  private:
    Evaluation evaluate_on(Trainer& trainer, const std::vector<Batch>& batches) const;
    void add_rows(Trainer& trainer, const TableRow& key, const std::string& split,
                  const Evaluation& evaluation);
    void test(Trainer& trainer, const TableRow& key);

    StageContext& context_;
    const Selection& selection_;
    std::vector<Batch> test_;
    std::optional<std::vector<Batch>> held_out_;  ///< absent where nobody looks on the way
    Table rows_;
    ImageMetricsFile images_;
    bool closed_ = false;
    int64_t best_iteration_ = -1;
    double best_score_ = 0.0;
    TensorMap best_network_;
};

}  // namespace mtlprune
