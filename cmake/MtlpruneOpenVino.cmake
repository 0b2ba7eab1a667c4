# OpenVINO, one of the runtimes that bench_inference compares; without it that engine says that it is missing.
set(MTLPRUNE_OPENVINO "" CACHE PATH
    "Folder openvino of the PyPI wheel, with cmake/, include/ and libs/ in it; empty: no OpenVINO (bench/engines_setup.sh)")

# `file` of `target` sees OpenVINO's headers and MTLPRUNE_OPENVINO; the other files stay as they are, so that they share the
# precompiled header.
function(mtlprune_openvino target file)
  if(NOT MTLPRUNE_OPENVINO)
    return()
  endif()
  find_package(OpenVINO REQUIRED COMPONENTS Runtime PATHS ${MTLPRUNE_OPENVINO}/cmake NO_DEFAULT_PATH)
  set_source_files_properties(${file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON SKIP_PRECOMPILE_HEADERS ON
                              COMPILE_DEFINITIONS MTLPRUNE_OPENVINO
                              COMPILE_OPTIONS "-isystem${MTLPRUNE_OPENVINO}/include")
  target_link_libraries(${target} PRIVATE $<LINK_ONLY:openvino::runtime>)
  message(STATUS "OpenVINO: ${OpenVINO_VERSION}")
endfunction()
