// mtlprune: the door to all rooms.
#include <c10/util/Logging.h>

#include "cli/program.h"

int main(int argc, char** argv) {
    // Nobody reads them, and making one takes as long as many operators: what a network does at other sizes
    // is found by trying, most often in vain.
    c10::SetStackTraceFetcher([] { return std::string(); });
    return mtlprune::cli::run_program(argc, argv);
}
