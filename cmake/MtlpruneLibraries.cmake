# Libraries that bring no CMake package of their own, as targets mtlprune::deflate, mtlprune::zip and mtlprune::hdf5. Part of
# the installed package too, which therefore names no path of the machine that built it. Sets mtlprune_missing.
set(mtlprune_missing "")
foreach(_mtlprune_library deflate zip hdf5)
  string(TOUPPER MTLPRUNE_${_mtlprune_library} _mtlprune_variable)
  find_library(${_mtlprune_variable} NAMES ${_mtlprune_library}_serial ${_mtlprune_library})  # Debian has several builds of HDF5
  if(NOT ${_mtlprune_variable})
    list(APPEND mtlprune_missing lib${_mtlprune_library})
  elseif(NOT TARGET mtlprune::${_mtlprune_library})
    add_library(mtlprune::${_mtlprune_library} UNKNOWN IMPORTED)
    set_target_properties(mtlprune::${_mtlprune_library} PROPERTIES IMPORTED_LOCATION ${${_mtlprune_variable}})
  endif()
endforeach()
