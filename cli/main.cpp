// mtlprune: the door to all rooms.
#include "cli/program.h"

int main(int argc, char** argv) {
    return mtlprune::cli::run_program(argc, argv);
}
