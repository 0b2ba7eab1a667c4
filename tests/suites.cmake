# After a test program was linked: writes the tests that CTest runs, one per GoogleTest suite, because every process first
# spends half a second on loading LibTorch. Cases that run long are tests of their own, so that they run beside each other.
#   cmake -D PROGRAM=FILE -D ROOM=NAME -D ENVIRONMENT=VARIABLE=VALUE -D OUT=FILE -P suites.cmake
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE _list TIMEOUT 60 COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE " *#[^\n]*" "" _list "${_list}")  # values of parameters
string(REPLACE "\n" ";" _list "${_list}")

# A suite is skipped if all its cases are. What follows the list of these would be failures.
set(_skipped "\\[  PASSED  \\] 0 tests\\.\n\\[  SKIPPED \\] [0-9]+ tests?, listed below:\n(\\[  SKIPPED \\] [^\n]*\n)+\n*$")

set(_text "")
function(write_test name filter)
  set(_labels ${ROOM})
  if(name MATCHES "[./]Golden")
    list(APPEND _labels golden)
  endif()
  if(name MATCHES "RealNetworks")
    list(APPEND _labels real_networks)
  endif()
  set(_properties "LABELS [==[${_labels}]==] SKIP_REGULAR_EXPRESSION [==[${_skipped}]==]")
  # The longest ones first, in a build folder where CTest has not measured them yet.
  if(name STREQUAL "pruning.Fuzz")
    string(APPEND _properties " COST 100")
  elseif(ROOM STREQUAL "cli")
    string(APPEND _properties " COST 10")
  endif()
  if(ENVIRONMENT)
    string(APPEND _properties " ENVIRONMENT [==[${ENVIRONMENT}]==]")
  endif()
  string(APPEND _text "add_test([==[${name}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${filter}]==])\n"
         "set_tests_properties([==[${name}]==] PROPERTIES ${_properties})\n")
  set(_text "${_text}" PARENT_SCOPE)
endfunction()

set(_written "")
foreach(_line IN LISTS _list)
  if(_line MATCHES "^([^ ]+)\\.$")
    set(_suite ${CMAKE_MATCH_1})
    continue()
  elseif(NOT _line MATCHES "^  ([^ ]+)$")
    continue()
  endif()
  set(_case ${CMAKE_MATCH_1})
  if("${_suite}.${_case}" MATCHES "(^|[./])DISABLED_")
    continue()
  elseif(ROOM STREQUAL "cli" OR _suite MATCHES "RealNetworks")
    write_test(${ROOM}.${_suite}.${_case} ${_suite}.${_case})
  elseif(NOT _suite STREQUAL _written)
    write_test(${ROOM}.${_suite} ${_suite}.*)
    set(_written ${_suite})
  endif()
endforeach()
file(WRITE ${OUT} "${_text}")
