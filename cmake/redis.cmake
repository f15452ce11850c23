# The Redis backend: a library of its own, since it links others. It sees of flowctl what any backend does: the public headers.
find_package(PkgConfig REQUIRED)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
pkg_check_modules(URIPARSER REQUIRED IMPORTED_TARGET liburiparser)

set(redis_dir ${PROJECT_SOURCE_DIR}/src/backend/redis)
set(redis_scripts ${PROJECT_BINARY_DIR}/redis/scripts.c)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/redis)
add_custom_command(OUTPUT ${redis_scripts}
  COMMAND ${CMAKE_COMMAND} -DOUT=${redis_scripts}
    "-DSCRIPTS=lease:${redis_dir}/server.lua+${redis_dir}/lease.lua|put:${redis_dir}/put.lua"
    -P ${PROJECT_SOURCE_DIR}/cmake/embed_scripts.cmake
  DEPENDS ${redis_dir}/server.lua ${redis_dir}/lease.lua ${redis_dir}/put.lua ${PROJECT_SOURCE_DIR}/cmake/embed_scripts.cmake
  VERBATIM)

add_library(flowctl_redis_objects OBJECT
  ${redis_dir}/backend.c ${redis_dir}/call.c ${redis_dir}/fault.c ${redis_dir}/inspect.c ${redis_dir}/lease_call.c
  ${redis_dir}/link.c ${redis_dir}/settings.c ${redis_dir}/store.c ${redis_dir}/url.c ${redis_scripts}
  src/base/error.c)
set_target_properties(flowctl_redis_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
# ppoll and eventfd are not POSIX.
target_compile_definitions(flowctl_redis_objects PRIVATE FLOWCTL_BUILD _GNU_SOURCE)
target_include_directories(flowctl_redis_objects PUBLIC ${PROJECT_SOURCE_DIR}/include
  PRIVATE ${PROJECT_SOURCE_DIR}/src ${redis_dir})
target_link_libraries(flowctl_redis_objects PRIVATE flowctl_flags PkgConfig::HIREDIS PkgConfig::URIPARSER)

function(flowctl_redis_library name type core)
  add_library(${name} ${type} $<TARGET_OBJECTS:flowctl_redis_objects>)
  target_link_libraries(${name} PUBLIC ${core} PRIVATE PkgConfig::HIREDIS PkgConfig::URIPARSER $<BUILD_INTERFACE:flowctl_flags>)
  set_target_properties(${name} PROPERTIES OUTPUT_NAME flowctl_redis VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()
flowctl_redis_library(flowctl_redis_shared SHARED flowctl_shared)
flowctl_redis_library(flowctl_redis_static STATIC flowctl_static)
set_target_properties(flowctl_redis_shared PROPERTIES EXPORT_NAME redis)
set_target_properties(flowctl_redis_static PROPERTIES EXPORT_NAME redis_static)
add_library(flowctl::redis ALIAS flowctl_redis_shared)
add_library(flowctl::redis_static ALIAS flowctl_redis_static)
