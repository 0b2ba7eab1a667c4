// mtlprune with one more criterion.
#include "cli/program.h"
#include "tests/newcomer/variance_criterion.h"

int main(int argc, char** argv) {
    mtlprune::criteria().add(mtlprune::variance_criterion());
    return mtlprune::cli::run_program(argc, argv);
}
