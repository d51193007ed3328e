// Answers each name that it reads with a greeting, until the client disconnects.
//
//   cc -o bin/greeter examples/c/greeter.c
//   wspipe --port=8080 ./bin/greeter

#include <stdio.h>
#include <sys/types.h>

int main(void) {
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        printf("Hello, %s!\n", line);
        fflush(stdout); // to a pipe, C would keep it until it has 4 KB
    }
}
