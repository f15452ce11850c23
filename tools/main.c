#include "command.h"

int main(int argc, char **argv) { return fct_command_main(argc, argv); }
