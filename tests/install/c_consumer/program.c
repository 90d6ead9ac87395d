/* A C program as a user would write it, against an installed numaheap. */

#include <numaheap.h>
#include <stdio.h>
#include <string.h>

static void print_report(const nh_report* report, void* context) {
  (void)context;
  fprintf(stderr, "numaheap: %s\n", report->text);
}

int main(void) {
  if (nh_check_abi(NH_ABI_VERSION) != NH_OK) {
    fprintf(stderr, "built for another numaheap than %s\n", nh_version_string());
    return 1;
  }
  nh_set_report_callback(print_report, NULL);

  const unsigned here = nh_thread_node();
  char* text = nh_malloc_onnode(100, here);
  if (text == NULL) return 1;
  strcpy(text, "on this node");
  text = nh_realloc(text, 10000);
  if (text == NULL || strcmp(text, "on this node") != 0 || nh_home_node(text) != here) return 1;
  nh_free(text);

  char mistakes[1000];
  if (nh_apply_roles("no/such/file.toml", mistakes, sizeof mistakes) != NH_INVALID_ARGUMENT)
    return 1;
  if (strstr(mistakes, "no/such/file.toml") == NULL) return 1;

  printf("numaheap %s, %zu bytes in use\n", nh_version_string(), nh_used_memory());
  return 0;
}
