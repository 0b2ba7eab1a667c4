// What a program that computes for long does first.
#pragma once

namespace mtlprune {

/// Prepares the process for large feature maps on a CPU. To be called once, before any work, since it may
/// start the program again (0.3 s) with these variables, which the libraries read before main() begins;
/// variables that the user has set, to nothing too, stay as they are:
///  * OPENBLAS_CORETYPE, where OpenBLAS does not know the processor and has fallen back to kernels of 2004
///    (Debian 12's does so on some Intel Xeons of 2023);
///  * GLIBC_TUNABLES, so that tensors lie in huge pages.
///
/// Memory that tensors free is kept: by default glibc returns blocks over 32 MiB to the system at once, so
/// that each new feature map of that size (26 per training step at the paper's size) is cleared page by page
/// again. Memory use stays at its peak. Nothing of this happens with other C libraries.
void set_up_process(char** argv);

}  // namespace mtlprune
