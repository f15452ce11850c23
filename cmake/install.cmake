# The installed package: find_package(flowctl), pkg-config, headers, command, man page.
install(TARGETS flowctl_shared flowctl_static EXPORT flowctl_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/flowctl DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
  PATTERN "redis.h" EXCLUDE)
if(FLOWCTL_WITH_REDIS)
  install(FILES ${PROJECT_SOURCE_DIR}/include/flowctl/redis.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/flowctl)
  install(TARGETS flowctl_redis_shared flowctl_redis_static EXPORT flowctl_redis_targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/flowctl)
install(EXPORT flowctl_targets NAMESPACE flowctl:: DESTINATION ${package_dir})
if(FLOWCTL_WITH_REDIS)
  install(EXPORT flowctl_redis_targets NAMESPACE flowctl:: DESTINATION ${package_dir})
endif()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/flowctl-config.cmake.in
  ${PROJECT_BINARY_DIR}/flowctl-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/flowctl-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/flowctl-config.cmake ${PROJECT_BINARY_DIR}/flowctl-config-version.cmake
  DESTINATION ${package_dir})

# The prefix as seen from the .pc file, so that an installed tree can be moved; absolute folders are taken as they are.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/flowctl.pc.in ${PROJECT_BINARY_DIR}/flowctl.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/flowctl.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(FLOWCTL_WITH_REDIS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/flowctl-redis.pc.in ${PROJECT_BINARY_DIR}/flowctl-redis.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/flowctl-redis.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(FLOWCTL_WITH_TOOLS)
  install(TARGETS flowctl_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/man/flowctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
