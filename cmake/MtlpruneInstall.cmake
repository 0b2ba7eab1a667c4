# `cmake --install build` and then find_package(mtlprune): one target per room, mtlprune::<room>.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_rooms base datasets models training pruning reproduce)
list(TRANSFORM _rooms PREPEND mtlprune_ OUTPUT_VARIABLE _libraries)
install(TARGETS mtlprune_torch mtlprune_warnings mtlprune_contract ${_libraries} EXPORT mtlprune_targets)
install(EXPORT mtlprune_targets NAMESPACE mtlprune:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mtlprune
        FILE mtlpruneTargets.cmake)
foreach(_room ${_rooms})
  install(DIRECTORY ${_room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mtlprune FILES_MATCHING PATTERN "*.h")
endforeach()
install(DIRECTORY reproduce/scales reproduce/figures reproduce/paper_curves
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mtlprune PATTERN "__pycache__" EXCLUDE)

file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfig.cmake "include(CMakeFindDependencyMacro)
find_dependency(OpenCV COMPONENTS core imgproc imgcodecs)
find_dependency(nlohmann_json)
find_dependency(fmt)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(Boost COMPONENTS program_options)
find_dependency(Threads)
find_dependency(OpenMP COMPONENTS CXX)
if(\"${MTLPRUNE_TORCH}\" STREQUAL \"system\")
  find_dependency(Torch)
endif()
include(\${CMAKE_CURRENT_LIST_DIR}/mtlpruneTargets.cmake)
# CMake exports no path below its own source folder, where the wheel may be; empty for the system LibTorch.
target_include_directories(mtlprune::mtlprune_torch SYSTEM INTERFACE \"${MTLPRUNE_TORCH_INCLUDES}\")
")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mtlprune)
