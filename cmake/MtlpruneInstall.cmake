# `cmake --install build`, then find_package(mtlprune) from anywhere: the folder may be moved. tests/install/ does all of it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/mtlprune)

# The umbrella header and what it reaches through `#include "..."` is what users get. Sets `result` to these headers, relative
# to the source folder, without the umbrella and the version.
function(mtlprune_public_headers umbrella result)
  set(_waiting ${umbrella})
  set(_known "")
  while(_waiting)
    list(POP_FRONT _waiting _header)
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_header})
    file(STRINGS ${PROJECT_SOURCE_DIR}/${_header} _lines REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
    foreach(_line ${_lines})
      string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*$" "\\1" _included "${_line}")
      if(_included STREQUAL "mtlprune/version.h" OR _included IN_LIST _known)
        continue()
      elseif(NOT EXISTS ${PROJECT_SOURCE_DIR}/${_included})
        message(FATAL_ERROR "${_header}: expected a header of a room (\"room/...\"), found \"${_included}\"")
      endif()
      list(APPEND _known ${_included})
      list(APPEND _waiting ${_included})
    endforeach()
  endwhile()
  list(SORT _known)
  set(${result} ${_known} PARENT_SCOPE)
endfunction()

install(FILES include/mtlprune/mtlprune.h ${PROJECT_BINARY_DIR}/include/mtlprune/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mtlprune)
mtlprune_public_headers(include/mtlprune/mtlprune.h _headers)
foreach(_header ${_headers})
  get_filename_component(_folder ${_header} DIRECTORY)
  install(FILES ${_header} DESTINATION ${MTLPRUNE_ROOM_HEADERS}/${_folder})
endforeach()

set_target_properties(mtlprune_torch PROPERTIES EXPORT_NAME torch)
set(_rooms base contract datasets models training pruning reproduce)
list(TRANSFORM _rooms PREPEND mtlprune_)
install(TARGETS mtlprune_torch ${_rooms} mtlprune_everything EXPORT mtlprune_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT mtlprune_targets NAMESPACE mtlprune:: DESTINATION ${_package} FILE mtlpruneTargets.cmake)
configure_package_config_file(cmake/mtlpruneConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfig.cmake
                              INSTALL_DESTINATION ${_package})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/mtlpruneConfigVersion.cmake
              cmake/MtlpruneLibraries.cmake
        DESTINATION ${_package})

install(DIRECTORY reproduce/scales reproduce/figures reproduce/paper_curves
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mtlprune PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY reproduce/strategies DESTINATION ${CMAKE_INSTALL_DATADIR}/mtlprune FILES_MATCHING PATTERN "*.json")
install(FILES LICENSE CITATION.cff CHANGELOG.md docs/licences.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
