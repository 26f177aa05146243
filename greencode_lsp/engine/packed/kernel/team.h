// Threads that share out work. Nobody is waited for who has not taken any: where another program keeps a thread from
// running, the others do its part, and it finds everything done when it comes. (OpenMP's teams wait for every member:
// on a busy machine a segment of 0.5 ms then took 16 ms.)
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lanes.h"

#define MOST_THREADS 64
#define SPINS 1000           // about 20 us: what an evenly shared step may take longer elsewhere
#define SPINS_BETWEEN 20000  // about half a millisecond: what passes between two segments of one text
#define CLOSED (1 << 30)

typedef struct {  // one step of the work, on a cache line of its own
    _Alignas(64) atomic_int_fast64_t next;
    atomic_int_fast64_t done;
} Step;

typedef struct {  // one thread's place in the work
    Step *steps;
    int thread, threads;
    int holding;
} Member;

typedef struct {
    void (*run)(Member *me, void *work);
    void *work;
    Step *steps;
    int threads;
} Job;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint_fast32_t generation;
    atomic_int inside;  // members at work, plus CLOSED where nobody may join
    int workers, sleeping;
    Job job;
} team = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .inside = CLOSED};

static inline void wait_a_little(int *spins) {
    if (++*spins < SPINS) relax();
    else sched_yield();  // who holds the rest may need this processor
}

// Takes the next of `shares` equal shares of `count` items: from `*from` up to `*to`. Returns 0 once all are done,
// and then the next call is about the next step. All members make the same calls.
static inline int next_share(Member *me, int64_t count, int64_t shares, int64_t *from, int64_t *to) {
    Step *step = me->steps;
    if (shares > count) shares = count;
    if (me->holding) atomic_fetch_add_explicit(&step->done, 1, memory_order_release);
    int64_t share = atomic_fetch_add_explicit(&step->next, 1, memory_order_relaxed);
    me->holding = share < shares;
    if (me->holding) {
        *from = count * share / shares;
        *to = count * (share + 1) / shares;
        return 1;
    }
    for (int spins = 0; atomic_load_explicit(&step->done, memory_order_acquire) < shares;) wait_a_little(&spins);
    me->steps++;
    return 0;
}

static void *worker(void *number) {
    int thread = (int)(intptr_t)number;
    uint_fast32_t seen = 0;
    for (;;) {
        int spins = 0;
        while (atomic_load_explicit(&team.generation, memory_order_acquire) == seen && spins < SPINS_BETWEEN) {
            relax();
            if (++spins % SPINS == 0) sched_yield();
        }
        if (spins == SPINS_BETWEEN) {
            pthread_mutex_lock(&team.lock);
            team.sleeping++;
            while (atomic_load_explicit(&team.generation, memory_order_acquire) == seen)
                pthread_cond_wait(&team.wake, &team.lock);
            team.sleeping--;
            pthread_mutex_unlock(&team.lock);
        }
        seen = atomic_load_explicit(&team.generation, memory_order_acquire);
        if (!(atomic_fetch_add_explicit(&team.inside, 1, memory_order_acquire) & CLOSED) &&
            thread < team.job.threads) {
            Member me = {team.job.steps, thread, team.job.threads, 0};
            team.job.run(&me, team.job.work);
        }
        atomic_fetch_sub_explicit(&team.inside, 1, memory_order_release);
    }
    return 0;
}

// Runs a job on up to `threads` threads, this one among them. `steps` [count] is room for its steps.
static void run_together(void (*run)(Member *, void *), void *work, Step *steps, int64_t count, int64_t threads) {
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    for (int64_t i = 0; i < count; i++) steps[i].next = steps[i].done = 0;
    Member me = {steps, 0, (int)threads, 0};
    if (threads > 1) {
        team.job = (Job){run, work, steps, (int)threads};
        atomic_fetch_and_explicit(&team.inside, ~CLOSED, memory_order_release);
        pthread_mutex_lock(&team.lock);
        for (pthread_t id; team.workers < threads - 1 &&
                           !pthread_create(&id, 0, worker, (void *)(intptr_t)(team.workers + 1));
             pthread_detach(id))
            team.workers++;
        atomic_fetch_add_explicit(&team.generation, 1, memory_order_release);
        if (team.sleeping) pthread_cond_broadcast(&team.wake);
        pthread_mutex_unlock(&team.lock);
    }
    run(&me, work);
    if (threads > 1) {
        atomic_fetch_or_explicit(&team.inside, CLOSED, memory_order_acq_rel);
        for (int spins = 0; atomic_load_explicit(&team.inside, memory_order_acquire) & ~CLOSED;) wait_a_little(&spins);
    }
}
