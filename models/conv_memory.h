// Memory policy for networks with large feature maps.
#pragma once

namespace mtlprune {

/// Makes the C library keep memory that tensors free, for the rest of the process. By default glibc returns
/// blocks over 32 MiB to the system at once, so that each new feature map of that size (26 per training step
/// at the paper's size) is cleared page by page again, which takes as long as half of the convolution. To be
/// called once, by programs; their memory use stays at its peak. No-op with other C libraries.
void keep_freed_memory();

}  // namespace mtlprune
