// What LibTorch says when something fails, without what only its developers read.
#pragma once

#include <exception>
#include <string>

namespace mtlprune {

/// The message in one line: of a trace through TorchScript its last line, without back traces, places in
/// LibTorch's source and the name of the exception. Messages of Error come back as they are.
std::string torch_message(const std::exception& error);

}  // namespace mtlprune
