#include "models/process_setup.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace mtlprune {
namespace {

/// The core whose kernels OpenBLAS uses; empty without OpenBLAS.
std::string blas_core() {
    using CoreName = char* (*)();
    const auto name = reinterpret_cast<CoreName>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
    return name == nullptr ? "" : name();
}

/// The newest core of OpenBLAS 0.3.21 that runs here; nullptr below AVX2, where there is nothing to gain.
const char* best_core() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16")) return "Cooperlake";
    if (__builtin_cpu_supports("avx512vl")) return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return nullptr;
}

/// True if the variable was missing and has its value now.
bool provide(const char* variable, const char* value) {
    return std::getenv(variable) == nullptr && setenv(variable, value, 1) == 0;
}

}  // namespace

void set_up_process(char** argv) {
#ifdef __GLIBC__
    bool changed =
        blas_core() == "Prescott" && best_core() != nullptr && provide("OPENBLAS_CORETYPE", best_core());
    changed |= provide("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    // Without /proc the program goes on as it is.
    if (changed) execv("/proc/self/exe", argv);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#else
    (void)argv;
#endif
}

}  // namespace mtlprune
