# Finds LibTorch and wraps it in the target mtlprune_torch, whose headers are system headers.
if(MTLPRUNE_TORCH STREQUAL "wheel")
  file(GLOB _torch_root ${PROJECT_SOURCE_DIR}/.deps/torch-wheel/lib/python3*/site-packages/torch)
  if(NOT _torch_root)
    message(FATAL_ERROR "MTLPRUNE_TORCH=wheel: no wheel in .deps/torch-wheel; run ./setup.sh --torch wheel")
  endif()
elseif(NOT MTLPRUNE_TORCH STREQUAL "system")
  set(_torch_root ${MTLPRUNE_TORCH})
endif()

add_library(mtlprune_torch INTERFACE)
if(_torch_root)
  # The wheel's own CMake package asks for the CUDA toolkit; its libraries are all we need.
  find_library(MTLPRUNE_LIBTORCH torch PATHS ${_torch_root}/lib NO_DEFAULT_PATH REQUIRED)
  find_library(MTLPRUNE_LIBTORCH_CPU torch_cpu PATHS ${_torch_root}/lib NO_DEFAULT_PATH REQUIRED)
  find_library(MTLPRUNE_LIBC10 c10 PATHS ${_torch_root}/lib NO_DEFAULT_PATH REQUIRED)
  find_library(MTLPRUNE_LIBTORCH_CUDA torch_cuda PATHS ${_torch_root}/lib NO_DEFAULT_PATH)
  set(MTLPRUNE_TORCH_INCLUDES ${_torch_root}/include ${_torch_root}/include/torch/csrc/api/include)
  target_include_directories(mtlprune_torch SYSTEM INTERFACE "$<BUILD_INTERFACE:${MTLPRUNE_TORCH_INCLUDES}>")
  set(_torch_libraries ${MTLPRUNE_LIBTORCH} ${MTLPRUNE_LIBTORCH_CPU} ${MTLPRUNE_LIBC10})
  if(MTLPRUNE_LIBTORCH_CUDA)
    # Registers the CUDA kernels although no symbol of the library is named in our code. The C++ library comes
    # first: the wheel's libraries export their own std::filesystem, whose remove_all crashes here.
    target_link_options(mtlprune_torch INTERFACE
                        "LINKER:--no-as-needed,-lstdc++,${MTLPRUNE_LIBTORCH_CUDA},--as-needed"
                        "LINKER:--allow-shlib-undefined")
  endif()
  target_link_libraries(mtlprune_torch INTERFACE ${_torch_libraries})
  target_link_options(mtlprune_torch INTERFACE "LINKER:-rpath,${_torch_root}/lib")
  if(EXISTS ${_torch_root}/include/fmt)
    # The wheel brings its own {fmt} headers, newer than the system's library.
    target_compile_definitions(mtlprune_torch INTERFACE FMT_HEADER_ONLY)
  endif()
else()
  find_package(Torch REQUIRED)
  separate_arguments(_torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(mtlprune_torch INTERFACE ${_torch_flags})
  # Users of the installed package find theirs again.
  target_include_directories(mtlprune_torch SYSTEM INTERFACE "$<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>")
  foreach(_library ${TORCH_LIBRARIES})
    target_link_libraries(mtlprune_torch INTERFACE $<BUILD_INTERFACE:${_library}>)
  endforeach()
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)
if(_torch_root)
  # By option, not by path: beside the wheel's own copy a path makes CMake warn about every program.
  target_compile_options(mtlprune_torch INTERFACE ${OpenMP_CXX_FLAGS})
  target_link_options(mtlprune_torch INTERFACE ${OpenMP_CXX_FLAGS})
else()
  target_link_libraries(mtlprune_torch INTERFACE OpenMP::OpenMP_CXX)
endif()
# Found once more by path: the precompiled header's identity contains the version.
if(_torch_root)
  set(_version_header ${_torch_root}/include/torch/csrc/api/include/torch/version.h)
else()
  find_file(_version_header torch/version.h PATHS ${TORCH_INCLUDE_DIRS})
endif()
file(STRINGS ${_version_header} MTLPRUNE_TORCH_VERSION REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")

# Data-parallel training (training/data_parallel/) needs LibTorch's c10d with Gloo, whose own headers Debian has in
# libgloo-dev; c10d passes only pointers to what they declare. Without them programs refuse to start by several processes.
option(MTLPRUNE_C10D "Data-parallel training through LibTorch's c10d, where it is found" ON)
find_path(MTLPRUNE_GLOO_INCLUDES gloo/algorithm.h)
find_file(MTLPRUNE_C10D_HEADER torch/csrc/distributed/c10d/ProcessGroupGloo.hpp
          PATHS ${MTLPRUNE_TORCH_INCLUDES} ${TORCH_INCLUDE_DIRS} NO_DEFAULT_PATH)
# LibTorch can have the headers without the code. A member of the same mangled name links in less than a second.
include(CheckCXXSourceCompiles)
if(_torch_root)
  set(CMAKE_REQUIRED_LIBRARIES ${MTLPRUNE_LIBTORCH_CPU})
else()
  set(CMAKE_REQUIRED_LIBRARIES ${TORCH_LIBRARIES})
endif()
list(APPEND CMAKE_REQUIRED_LIBRARIES -Wl,--allow-shlib-undefined)
check_cxx_source_compiles("
  namespace c10d { struct ProcessGroupGloo { unsigned long getSequenceNumberForGroup(); }; }
  int main() { return static_cast<int>(c10d::ProcessGroupGloo().getSequenceNumberForGroup()); }"
  MTLPRUNE_C10D_LINKS)
unset(CMAKE_REQUIRED_LIBRARIES)

# NCCL's headers and CUDA's come beside the wheel.
if(MTLPRUNE_LIBTORCH_CUDA)
  find_path(MTLPRUNE_NCCL_INCLUDES nccl.h PATHS ${_torch_root}/../nvidia/nccl/include NO_DEFAULT_PATH)
  file(GLOB _cuda_includes ${_torch_root}/../nvidia/cu*/include ${_torch_root}/../nvidia/cuda_runtime/include)
  find_path(MTLPRUNE_CUDA_INCLUDES cuda_runtime_api.h PATHS ${_cuda_includes} NO_DEFAULT_PATH)
endif()

function(mtlprune_data_parallel file)
  set_source_files_properties(${file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(MTLPRUNE_C10D AND MTLPRUNE_GLOO_INCLUDES AND MTLPRUNE_C10D_HEADER AND MTLPRUNE_C10D_LINKS)
    set(_definitions MTLPRUNE_C10D)
    set(_includes ${MTLPRUNE_GLOO_INCLUDES})
    if(MTLPRUNE_NCCL_INCLUDES AND MTLPRUNE_CUDA_INCLUDES)
      list(APPEND _definitions MTLPRUNE_NCCL)
      list(APPEND _includes ${MTLPRUNE_NCCL_INCLUDES} ${MTLPRUNE_CUDA_INCLUDES})
    endif()
    list(REMOVE_ITEM _includes /usr/include)
    list(TRANSFORM _includes PREPEND -isystem)
    set_source_files_properties(${file} PROPERTIES COMPILE_DEFINITIONS "${_definitions}" COMPILE_OPTIONS "${_includes}")
    message(STATUS "Data-parallel training: ${_definitions}")
  else()
    message(STATUS "Data-parallel training: none (needs LibTorch's c10d and the headers of libgloo-dev)")
  endif()
endfunction()
