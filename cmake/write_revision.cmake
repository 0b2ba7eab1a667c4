# cmake -D SOURCE=FOLDER -D VERSION=X.Y.Z -D OUTPUT=FILE -P write_revision.cmake: writes the C++ file that says what the program
# was built from, and leaves it alone when that is what it says already, so that nothing is compiled again.
set(_revision unknown)
find_program(_git git)
function(ask_git result)
  execute_process(COMMAND ${_git} --no-optional-locks ${ARGN} WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE _text
                  ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _code)
  set(${result} "${_text}" PARENT_SCOPE)
  set(code ${_code} PARENT_SCOPE)
endfunction()
if(_git)
  # A source archive that was unpacked inside another repository has no revision.
  ask_git(_top rev-parse --show-toplevel)
  file(REAL_PATH "${SOURCE}" _source)
  if(code EQUAL 0 AND _top STREQUAL _source)
    ask_git(_head rev-parse --short=12 HEAD)
    if(code EQUAL 0)
      set(_revision ${_head})
      ask_git(_changed status --porcelain --untracked-files=no)
      ask_git(_new ls-files --others --exclude-standard -- "*.cpp" "*.h")
      if(_changed OR _new)
        string(APPEND _revision " + changes")
      endif()
    endif()
  endif()
endif()
set(_text "// Written by cmake/write_revision.cmake.
#include \"base/revision.h\"

namespace mtlprune {

const ProgramRevision& this_program() {
    static const ProgramRevision program{\"${VERSION}\", \"${_revision}\"};
    return program;
}

}  // namespace mtlprune
")
set(_known "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} _known)
endif()
if(NOT _known STREQUAL _text)
  file(WRITE ${OUTPUT} "${_text}")
endif()
