/* A key-value store in small, written against zmalloc as servers of the Redis family are: strings with their length in
 * front that use all of their block, a table that grows, INFO, and an OOM handler. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdsalloc.h"
#include "zmalloc.h"

/* Some libraries beside the server declare the functions for themselves. */
extern void* zcalloc_num(size_t count, size_t size);

struct string {
  size_t length;
  size_t room;
  char text[];
};

static struct string* string_append(struct string* s, const char* text) {
  const size_t more = strlen(text);
  const size_t length = s == NULL ? 0 : s->length;
  if (s == NULL || s->room < length + more + 1) {
    size_t usable;
    s = s_realloc_usable(s, sizeof *s + (length + more + 1) * 2, &usable);
    s->room = usable - sizeof *s;
  }
  memcpy(s->text + length, text, more + 1);
  s->length = length + more;
  return s;
}

struct entry {
  struct entry* next;
  char* key;
  struct string* value;
};

struct table {
  struct entry** buckets;
  size_t bucket_count;
  size_t entry_count;
};

static size_t hash(const char* key) {
  size_t h = 5381;
  while (*key) h = h * 33 + (unsigned char)*key++;
  return h;
}

static void table_grow(struct table* t) {
  const size_t count = t->bucket_count == 0 ? 4 : t->bucket_count * 2;
  struct entry** buckets = zcalloc_num(count, sizeof *buckets);
  for (size_t i = 0; i < t->bucket_count; ++i) {
    for (struct entry *e = t->buckets[i], *next; e != NULL; e = next) {
      next = e->next;
      e->next = buckets[hash(e->key) % count];
      buckets[hash(e->key) % count] = e;
    }
  }
  zfree(t->buckets);
  t->buckets = buckets;
  t->bucket_count = count;
}

static struct entry* table_find(struct table* t, const char* key) {
  if (t->bucket_count == 0) return NULL;
  struct entry* e = t->buckets[hash(key) % t->bucket_count];
  while (e != NULL && strcmp(e->key, key) != 0) e = e->next;
  return e;
}

static void table_append(struct table* t, const char* key, const char* text) {
  struct entry* e = table_find(t, key);
  if (e == NULL) {
    if (t->entry_count == t->bucket_count) table_grow(t);
    e = zcalloc(sizeof *e);
    e->key = zstrdup(key);
    e->next = t->buckets[hash(key) % t->bucket_count];
    t->buckets[hash(key) % t->bucket_count] = e;
    ++t->entry_count;
  }
  e->value = string_append(e->value, text);
}

static void table_clear(struct table* t) {
  void (*release)(void*) = zfree;
  for (size_t i = 0; i < t->bucket_count; ++i) {
    for (struct entry *e = t->buckets[i], *next; e != NULL; e = next) {
      next = e->next;
      release(e->key);
      release(e->value);
      release(e);
    }
  }
  release(t->buckets);
  *t = (struct table){0};
}

static void out_of_memory(size_t size) {
  fprintf(stderr, "cannot have %zu bytes\n", size);
  exit(0); /* the test's last step */
}

int main(void) {
  zmalloc_set_oom_handler(out_of_memory);
  const size_t start = zmalloc_used_memory();
  struct table table = {0};
  char key[32];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20000; ++i) {
      snprintf(key, sizeof key, "key:%d", i);
      table_append(&table, key, "a value, ");
    }
  }
  const struct entry* e = table_find(&table, "key:777");
  if (e == NULL || strcmp(e->value->text, "a value, a value, a value, ") != 0) return 1;

  size_t allocated, active, resident;
  zmalloc_get_allocator_info(&allocated, &active, &resident);
  const size_t used = zmalloc_used_memory();
  printf(
      "mem_allocator:%s\nused_memory:%zu\nused_memory_rss:%zu\nused_memory_peak:%zu\n"
      "allocator_allocated:%zu\nallocator_active:%zu\nallocator_resident:%zu\n",
      ZMALLOC_LIB, used, zmalloc_get_rss(), zmalloc_get_peak_memory(), allocated, active, resident);
  if (used < start + 20000 * (sizeof(struct entry) + 8 + sizeof(struct string) + 27)) return 1;
  if (zmalloc_get_rss() == 0 || zmalloc_get_memory_size() < zmalloc_get_rss()) return 1;

  table_clear(&table);
  if (zmalloc_used_memory() != start) return 1;
  if (jemalloc_purge() != 0) return 1;

  char* kept = zmalloc(100);
  if (ztryrealloc(kept, (size_t)-1) != NULL) return 1;
  memset(kept, 1, 100); /* still ours */
  zfree(kept);
  zmalloc((size_t)-1);
  return 1;
}
