# One room = one library with the name of its folder. `#include "<room>/..."` works for it and all rooms to its left.
add_library(mtlprune_warnings INTERFACE)
target_compile_options(mtlprune_warnings INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(MTLPRUNE_SANITIZE)
  # g++ warns about std::function and std::optional wrongly when it instruments them.
  target_compile_options(mtlprune_warnings INTERFACE -fsanitize=${MTLPRUNE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=undefined -fno-sanitize=vptr -Wno-maybe-uninitialized)
  target_link_options(mtlprune_warnings INTERFACE -fsanitize=${MTLPRUNE_SANITIZE})
endif()

# LibTorch's headers take half a minute; every target reuses this precompiled copy of those that most files need. Not
# <torch/torch.h>: g++ instantiates the templates of a precompiled header again in every file, which took it 3 s more.
add_library(mtlprune_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(mtlprune_pch PRIVATE mtlprune_torch mtlprune_warnings)
target_precompile_headers(mtlprune_pch PRIVATE <torch/types.h> <torch/utils.h> <torch/autograd.h>
                          <torch/nn/modules/conv.h> <functional> <map> <memory> <optional> <string>
                          <unordered_map> <vector>)

function(mtlprune_target name)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:include/mtlprune>)
  target_link_libraries(${name} PUBLIC mtlprune_torch PRIVATE $<BUILD_INTERFACE:mtlprune_warnings>)
  target_precompile_headers(${name} REUSE_FROM mtlprune_pch)
endfunction()

function(mtlprune_room name)
  file(GLOB_RECURSE _sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  add_library(${name} STATIC ${_sources})
  mtlprune_target(${name})
  target_link_libraries(${name} PUBLIC ${ARGN})
endfunction()
