# What the program was built from, as one small object of `target`. Every build looks (some 20 ms); only another revision compiles
# it again.
function(mtlprune_revision target)
  set(_file ${PROJECT_BINARY_DIR}/revision/revision.cpp)
  set(_write ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR} -D VERSION=${PROJECT_VERSION} -D OUTPUT=${_file}
      -P ${PROJECT_SOURCE_DIR}/cmake/write_revision.cmake)
  execute_process(COMMAND ${_write} COMMAND_ERROR_IS_FATAL ANY)
  add_custom_target(mtlprune_write_revision COMMAND ${_write} BYPRODUCTS ${_file} VERBATIM
                    COMMENT "Looking which revision this is")
  target_sources(${target} PRIVATE ${_file})
  set_source_files_properties(${_file} PROPERTIES SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
  add_dependencies(${target} mtlprune_write_revision)
endfunction()
