// Another program that answers line by line.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace mtlprune {

/// A child whose standard input and output are a line to this process; its standard error is only seen when
/// it fails. It inherits no other descriptor, reads the end of its input when this process ends, and is
/// killed and reaped when the object goes.
class LineProcess {
  public:
    /// `command` is the program, looked for in PATH, and its arguments; `subject` names it in messages.
    /// Throws Error when it cannot be started.
    LineProcess(std::string subject, std::vector<std::string> command);
    ~LineProcess();
    LineProcess(const LineProcess&) = delete;
    LineProcess& operator=(const LineProcess&) = delete;

    /// The next line that it writes, without its end. Throws Error with how it ended and the last lines of
    /// its standard error when there is none.
    std::string read_line();
    /// Sends a line and waits for the next that it writes; throws as read_line().
    std::string ask(const std::string& line);

    pid_t pid() const { return pid_; }

  private:
    [[noreturn]] void throw_ended();
    void reap(double patience);

    std::string subject_, program_;
    pid_t pid_ = -1;
    int line_ = -1, error_ = -1;
    int status_ = 0;
    bool reaped_ = false;
    std::string read_;  ///< more than the lines that were asked for
};

}  // namespace mtlprune
