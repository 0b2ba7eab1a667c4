// What a program that computes for long does first.
#pragma once

namespace mtlprune {

/// Prepares the process for large feature maps on a CPU. To be called once and first in main(), since it may
/// start the program again with these variables, which the libraries read before main() begins; variables
/// that the user has set stay as they are:
///  * OPENBLAS_CORETYPE, where OpenBLAS does not know the processor and has fallen back to kernels of 2004
///    (Debian 12's does so on Intel Xeons since 2023: matrix products take four times as long);
///  * GLIBC_TUNABLES, so that tensors lie in huge pages: small ones take up to a third of a training step.
/// Memory that tensors free is kept: by default glibc returns blocks over 32 MiB to the system at once, so
/// that each new feature map of that size (26 per training step at the paper's size) is cleared page by page
/// again. Memory use stays at its peak. Nothing of this happens with other C libraries.
void set_up_process(char** argv);

}  // namespace mtlprune
