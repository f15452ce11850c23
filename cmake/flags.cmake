# How everything here is compiled. An interface target, so that it reaches our targets and no user's.
add_library(flowctl_flags INTERFACE)
target_compile_options(flowctl_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
  -fno-strict-overflow)
if(FLOWCTL_SANITIZE)
  target_compile_options(flowctl_flags INTERFACE
    -fsanitize=${FLOWCTL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(flowctl_flags INTERFACE -fsanitize=${FLOWCTL_SANITIZE})
endif()
option(FLOWCTL_COVERAGE "Instrument for gcov" OFF)
if(FLOWCTL_COVERAGE)
  target_compile_options(flowctl_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(flowctl_flags INTERFACE --coverage)
endif()
option(FLOWCTL_WERROR "Warnings are errors" OFF)
if(FLOWCTL_WERROR)
  target_compile_options(flowctl_flags INTERFACE -Werror)
endif()
