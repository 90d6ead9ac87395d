#include <numaheap/zmalloc.h>
