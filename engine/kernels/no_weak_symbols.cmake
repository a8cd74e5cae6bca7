# Fails the build if an instruction set's object offers weak symbols.
execute_process(COMMAND ${NM} --defined-only ${OBJECT} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nm failed on ${OBJECT}")
endif()
string(REGEX MATCHALL "[^\n]* [wWvVu] [^\n]*" weak "${symbols}")
if(weak)
  message(FATAL_ERROR "weak symbols in ${OBJECT}: ${weak}")
endif()
