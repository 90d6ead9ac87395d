/* Not linked with the heap: loads a plugin that is, uses it in threads, unloads it while a thread that used it lives. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static void* plugin;
static pthread_barrier_t used, unloaded;

static void* thread(void* argument) {
  void (*use)(void);
  *(void**)&use = dlsym(plugin, "use_library");
  use();
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&unloaded); /* its caches and thread-local blocks go when it ends */
  return argument;
}

int main(int count, char** arguments) {
  pthread_t threads[4];
  if (count != 2 || (plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL)) == NULL) {
    fprintf(stderr, "%s\n", count == 2 ? dlerror() : "usage: plugin_host PLUGIN");
    return 1;
  }
  pthread_barrier_init(&used, NULL, 5);
  pthread_barrier_init(&unloaded, NULL, 5);
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, thread, NULL);
  pthread_barrier_wait(&used);
  if (dlclose(plugin) != 0) return 1;
  pthread_barrier_wait(&unloaded);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  return 0;
}
