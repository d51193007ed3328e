// Counts to 10, or to its argument, one number per second.
//
//   cc -o bin/count examples/c/count.c
//   wspipe --port=8080 ./bin/count 3

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int last = argc > 1 ? atoi(argv[1]) : 10;
    for (int n = 1; n <= last; n++) {
        printf("%d\n", n);
        fflush(stdout); // to a pipe, C would keep it until it has 4 KB
        sleep(1);
    }
}
