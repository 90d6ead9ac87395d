/* Stands for the preload object in the tests of the command line: it is loaded and does nothing. */
int numaheap_cli_test_object = 1;
