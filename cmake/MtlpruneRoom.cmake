# One room = one library, target mtlprune_<room> and alias mtlprune::<room>. `#include "<room>/..."` works for it and
# all rooms to its left.
add_library(mtlprune_warnings INTERFACE)
target_compile_options(mtlprune_warnings INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers -Wno-subobject-linkage)
# std::sqrt in a loop is vectorised; nothing reads errno after mathematics.
target_compile_options(mtlprune_warnings INTERFACE -fno-math-errno)
if(MTLPRUNE_SANITIZE)
  # g++ warns about std::function and std::optional wrongly when it instruments them.
  target_compile_options(mtlprune_warnings INTERFACE -fsanitize=${MTLPRUNE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=undefined -fno-sanitize=vptr -Wno-maybe-uninitialized)
  target_link_options(mtlprune_warnings INTERFACE -fsanitize=${MTLPRUNE_SANITIZE})
endif()

# Nearly all of a file's compile time is LibTorch's headers. Two things against it: they are parsed once, into a
# precompiled header that most targets share (not <torch/torch.h>: g++ instantiates the templates of a precompiled header
# again in every file), and the files of a folder are compiled together.
add_library(mtlprune_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(mtlprune_pch PRIVATE mtlprune_torch mtlprune_warnings)
set(_precompiled <torch/types.h> <torch/nn/module.h> <nlohmann/json.hpp> <functional> <map> <memory> <optional>
                 <string> <unordered_map> <vector>)
target_precompile_headers(mtlprune_pch PRIVATE ${_precompiled})
# What ccache takes for the precompiled header's content (CCACHE_PCH_EXTSUM): its bytes differ from build to build.
string(MD5 _sum "${_precompiled};${CMAKE_CXX_COMPILER_VERSION};${MTLPRUNE_TORCH_VERSION};${CMAKE_BUILD_TYPE};${MTLPRUNE_SANITIZE}")
file(WRITE ${CMAKE_BINARY_DIR}/CMakeFiles/mtlprune_pch.dir/cmake_pch.hxx.gch.sum "${_sum}")

# Translation units of at most `most` files, in the order of their paths, so that folders stay together. Names in anonymous
# namespaces must differ within a room. A unit of a few small files takes half as long as one of thirty: nearly all of it is
# what LibTorch's headers make the compiler instantiate. The folders named after `most` are in units of their own, of eight files,
# because their files are what people change.
function(mtlprune_unite target most)
  if(NOT MTLPRUNE_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(_sources ${target} SOURCES)
  list(FILTER _sources INCLUDE REGEX "\\.cpp$")
  list(SORT _sources)
  foreach(_folder ${ARGN})
    set(_inside ${_sources})
    list(FILTER _inside INCLUDE REGEX "^${_folder}/")
    list(FILTER _sources EXCLUDE REGEX "^${_folder}/")
    string(MAKE_C_IDENTIFIER "${_folder}" _name)
    set(_position 0)
    foreach(_source ${_inside})
      math(EXPR _unit "${_position} / 8")
      math(EXPR _position "${_position} + 1")
      set_source_files_properties(${_source} PROPERTIES UNITY_GROUP ${_name}_${_unit})
    endforeach()
  endforeach()
  list(LENGTH _sources _count)
  math(EXPR _units "(${_count} + ${most} - 1) / ${most}")
  set(_position 0)
  foreach(_source ${_sources})
    math(EXPR _unit "${_position} * ${_units} / ${_count}")
    math(EXPR _position "${_position} + 1")
    set_source_files_properties(${_source} PROPERTIES UNITY_GROUP ${_unit})
  endforeach()
endfunction()

# Where the public headers of the rooms are installed: beside <mtlprune/mtlprune.h>, so that `#include "<room>/..."` finds
# them there and /usr/include gets no folder "base".
include(GNUInstallDirs)
set(MTLPRUNE_ROOM_HEADERS ${CMAKE_INSTALL_INCLUDEDIR}/mtlprune/rooms)

function(mtlprune_target name)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${MTLPRUNE_ROOM_HEADERS}>)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PUBLIC mtlprune_torch PRIVATE $<BUILD_INTERFACE:mtlprune_warnings>)
endfunction()

# A target that shares the precompiled header.
function(mtlprune_precompiled name)
  target_precompile_headers(${name} REUSE_FROM mtlprune_pch)
endfunction()

function(mtlprune_library name)
  add_library(mtlprune_${name} STATIC ${ARGN})
  add_library(mtlprune::${name} ALIAS mtlprune_${name})
  set_target_properties(mtlprune_${name} PROPERTIES EXPORT_NAME ${name})
  mtlprune_target(mtlprune_${name})
  mtlprune_unite(mtlprune_${name} 40 ${name}/criteria)
endfunction()

function(mtlprune_room name)
  file(GLOB_RECURSE _sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  mtlprune_library(${name} ${_sources})
  list(TRANSFORM ARGN PREPEND mtlprune_)
  target_link_libraries(mtlprune_${name} PUBLIC ${ARGN})
endfunction()

# mtlprune::mtlprune: <mtlprune/mtlprune.h>, <mtlprune/version.h> and all rooms up to `last`.
function(mtlprune_umbrella last)
  configure_file(${PROJECT_SOURCE_DIR}/include/mtlprune/version.h.in ${PROJECT_BINARY_DIR}/include/mtlprune/version.h @ONLY)
  add_library(mtlprune_everything INTERFACE)
  add_library(mtlprune::mtlprune ALIAS mtlprune_everything)
  set_target_properties(mtlprune_everything PROPERTIES EXPORT_NAME mtlprune)
  target_include_directories(mtlprune_everything INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                             $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)
  target_link_libraries(mtlprune_everything INTERFACE mtlprune_${last})
endfunction()
