#include <numaheap/sdsalloc.h>
