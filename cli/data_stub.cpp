#include "cli/commands.h"
namespace mtlprune::cli { int data_command(const Arguments&) { return 1; } }
