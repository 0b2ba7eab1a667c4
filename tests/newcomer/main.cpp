// mtlprune with one more criterion, one more backbone and one more data set.
#include "cli/program.h"
#include "tests/newcomer/toy_backbone.h"
#include "tests/newcomer/toy_layout.h"
#include "tests/newcomer/variance_criterion.h"

int main(int argc, char** argv) {
    mtlprune::criteria().add(mtlprune::variance_criterion());
    mtlprune::backbones().add(mtlprune::toy_backbone());
    mtlprune::dataset_layouts().push_back(mtlprune::toy_layout());
    return mtlprune::cli::run_program(argc, argv);
}
