# What `cmake --install` puts where: headers, libraries, the command, manual pages, models, and the two ways by which
# other builds find the library (pkg-config and CMake's find_package). Everything is relocatable: nothing written here
# holds the prefix.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(DIRECTORY include/align DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
set_target_properties(align_shared PROPERTIES EXPORT_NAME align)
set_target_properties(align_static PROPERTIES EXPORT_NAME static)
install(TARGETS align_shared align_static EXPORT alignTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(align_shared PROPERTIES INSTALL_RPATH "$ORIGIN")
foreach(module align_mpi align_postgres)
  if(TARGET ${module})
    install(TARGETS ${module} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()
if(ALIGN_CLI)
  set_target_properties(align_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS align_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

file(GLOB man_pages CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/docs/man/*.1)
install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/align/models)
install(FILES LICENSE NOTICE THIRD_PARTY.md README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(ALIGN_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/align)
install(EXPORT alignTargets NAMESPACE align:: DESTINATION ${ALIGN_CMAKE_DIR})
configure_package_config_file(cmake/alignConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/alignConfig.cmake
                              INSTALL_DESTINATION ${ALIGN_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/alignConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/alignConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/alignConfigVersion.cmake
        DESTINATION ${ALIGN_CMAKE_DIR})

# align.pc finds the prefix from where it lies itself.
file(RELATIVE_PATH ALIGN_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/align.pc.in ${CMAKE_CURRENT_BINARY_DIR}/align.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/align.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
