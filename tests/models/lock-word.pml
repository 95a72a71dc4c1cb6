/*
 * The word of a lock (a POSIX semaphore of one permit whose holder is known): taking, giving, sleeping, and taking over
 * from a dead holder.
 *
 * Stands for, step by step (files of src/NativeIpc; run.sh looks whether each of these is still there):
 *   take      LockWord.TryTake, HeldSemaphore.TryTake, HeldSemaphore.TryAcquire; MappedSemaphore.Sleep tries by the
 *             same method
 *   acquire   HeldSemaphore.TryRecover, HeldSemaphore.TryTakeOver, LockWord.TryTakeOver, HolderSlots.TryLock,
 *             HolderSlots.Unlock
 *   give      HeldSemaphore.GiveBack, LockWord.TryGive, GlibcSemaphore.Wake
 *             (labels look to join; those from join to leave are a slice of a wait:)
 *             MappedSemaphore.Sleep, GlibcSemaphore.AddWaiter, GlibcSemaphore.RemoveWaiter, HeldSemaphore.Block
 *   open      HeldSemaphore.ClaimSlot, HolderSlots.Claim, LockWord.Repair
 *   Ours, out HeldSemaphore.Close: the file's descriptor goes, and with it the slot's lock
 * The C program stands for glibc's sem_wait and sem_post (nptl/sem_waitcommon.c, sem_post.c), from their description.
 *
 * Properties
 *   one holder          a taker finds no holder (assert in taken)
 *   no live one robbed  a takeover finds that the holder's process has gone (the same assert: owner is cleared by
 *                       giving, and by the kernel at a death)
 *   no lost permit      nobody is left waiting: an invalid end state; a process that looks again when nothing else
 *                       moves gets the lock, and needs that look only when a process has died (assert before leave)
 *   taken over, told    the taker after a death in the lock is told, and nobody else is (assert in taken)
 *   the mark stays      a giver finds its own mark (assert in give)
 *
 * Assumptions
 *   - One look at the word is atomic, one compare-and-exchange, one addition. A loop "look, exchange, again if that
 *     fails" is one step: what it saw is what was there when the exchange succeeded.
 *   - futex(2): comparing and falling asleep is one step; a wake-up wakes any of the sleepers.
 *   - A process dies at any step, at most one in a run. It leaves the sleepers' queue first; its descriptors and with
 *     them its slots' locks go later, in one step.
 *   - A slice of a waiter of the library ends at any time once in a wait, and then when nothing else moves (timeout).
 *   - Sequential consistency: the code uses full barriers for each exchange.
 *
 * Left out: steps on the promoted object (FastStep: the same exchanges, tried with no waiters), more than one permit
 * and resets by a peer, asking whether an unknown holder lives (stepping-aside.pml), slots that are all taken or
 * refused, closing with the lock held, the sleepers' watch on the holder's process (an earlier end of a slice).
 *
 * Variants: none, three processes of the library; PEER, one of them is a C program; THREADS, two threads of one handle
 * beside two processes.
 * Faults that must be found: see run.sh. One step is not needed for these properties: that a process which leaves the
 * waiters passes a wake-up on (BREAK_PASSING). Whoever is woken tries once more before it leaves.
 */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define SLOTS 3
#define NOBODY 9
#define ABANDONED 7
#ifdef BREAK_TELLING
#define MARK_OF_THE_DEAD 0
#else
#define MARK_OF_THE_DEAD ABANDONED
#endif
#ifdef BREAK_PASSING
#define PASSES (false)
#else
#define PASSES (count > 0 && waiters > 0)
#endif
#if defined(THREADS) && !defined(BREAK_GATE)
#define LEAVE_GATE if :: HANDLE(me) == 0 -> gate = false :: else -> skip fi
#else
#define LEAVE_GATE skip
#endif

#ifdef THREADS
#define ALL 4
#define HANDLE(p) ((p) < 2 -> 0 : (p) - 1)
#else
#define ALL 3
#define HANDLE(p) (p)
#endif

/* The word. */
byte count = 1;
byte mark = 0;      /* 0 nobody, or one who leaves none; a slot's number from 1; ABANDONED */
byte waiters = 0;

byte locked[4];     /* by slot from 1: who has its lock, a handle and 1; 0 for nobody */
bool asleep[ALL];   /* in the futex's queue */
bool dead[ALL];

/* What only the properties look at. */
byte owner = NOBODY;
bool lost;          /* a holder has died, and nobody has been told yet */
bool died;

byte mortal = NOBODY;

#ifdef THREADS
bool gate;          /* HeldSemaphore._gate of the handle with two threads */
byte opened;        /* the slot of that handle */
#endif

inline taken(isTold) {
    assert(owner == NOBODY);
    owner = me;
    assert(isTold == lost);
    lost = false
}

inline wakeOne() {
    if
    :: asleep[0] -> asleep[0] = false
    :: asleep[1] -> asleep[1] = false
    :: asleep[2] -> asleep[2] = false
#ifdef THREADS
    :: asleep[3] -> asleep[3] = false
    :: !asleep[0] && !asleep[1] && !asleep[2] && !asleep[3] -> skip
#else
    :: !asleep[0] && !asleep[1] && !asleep[2] -> skip
#endif
    fi
}

/* Takes the permit if there is one; otherwise "seen" is the mark. Inside of atomic, as all that follows up to the next
   step which another process could notice. */
inline take() {
    if
    :: count > 0 ->
        taken(mark == ABANDONED);
        count--;
        mark = slot;
        got = true
    :: else -> seen = mark
    fi
}

/* Each "atomic" is one step; the labels follow the methods. */
inline acquire() {
    skip;
look:
    atomic {
        take();
        if
        :: got -> goto have
        :: !got && (seen == slot || seen == 0 || seen == ABANDONED) -> seen = 0; goto join
        :: else -> skip
        fi
    }
#if defined(THREADS) && !defined(BREAK_GATE)
    if
    :: HANDLE(me) == 0 -> atomic { !gate -> gate = true }
    :: else -> skip
    fi;
#endif
    atomic {
        if
        :: locked[seen] == 0 || locked[seen] == HANDLE(me) + 1 -> locked[seen] = HANDLE(me) + 1
#ifdef BREAK_PROOF
        :: else -> skip
#else
        :: else -> seen = 0; LEAVE_GATE; goto join
#endif
        fi
    }
    atomic {
        if
#ifdef BREAK_RECHECK
        :: count == 0 ->
#else
        :: count == 0 && mark == seen ->
#endif
            taken(true);
            mark = slot;
            got = true
        :: else -> skip
        fi
    }
    atomic {
        if
        :: locked[seen] == HANDLE(me) + 1 -> locked[seen] = 0
        :: else -> skip
        fi;
        seen = 0;
        LEAVE_GATE;
        if
        :: got -> goto have
        :: else -> skip
        fi
    }
join:
    waiters++;
again:
    atomic {
        take();
        if
        :: got -> goto leave
        :: else -> seen = 0
        fi
    }
compare:
    atomic {
        if
#ifdef BREAK_COMPARE
        :: asleep[me] = true
#else
        :: count != 0 -> goto again
        :: else -> asleep[me] = true
#endif
        fi
    }
    if
    :: atomic {
            !asleep[me] ->
            take();
            if
            :: got -> goto leave
            :: else -> seen = 0; goto compare
            fi
        }
    :: atomic { asleep[me] && !sliced -> asleep[me] = false; sliced = true }
    :: atomic {
            asleep[me] && timeout && !quiet ->
            assert(died);
            asleep[me] = false;
            quiet = true
        }
    fi;
    atomic { take(); seen = 0 }
leave:
    atomic {
        waiters--;
        if
        :: PASSES -> skip
        :: !PASSES && got -> goto have
        :: !PASSES && !got -> goto look
        :: !PASSES && !got && !quiet -> goto out
        fi
    }
    atomic {
        wakeOne();
        if
        :: got -> goto have
        :: !got -> goto look
        :: !got && !quiet -> goto out
        fi
    }
have:
    skip
}

inline give() {
    atomic {
        assert(count == 0 && mark == slot);
        assert(owner == me);
        owner = NOBODY;
        got = false;
        sliced = false;
        quiet = false;
        count = 1;
        mark = 0;
        if
#ifndef BREAK_WAKING
        :: waiters > 0 -> skip
        :: else -> goto out
#else
        :: true -> goto out
#endif
        fi
    }
    atomic { wakeOne() }
}

inline open() {
    atomic {
        if
        :: locked[1] == 0 -> slot = 1
        :: locked[2] == 0 -> slot = 2
        :: locked[3] == 0 -> slot = 3
        fi;
        locked[slot] = HANDLE(me) + 1
    }
    atomic {
        if
#ifndef BREAK_REPAIR
        :: mark == slot -> count = 1; mark = MARK_OF_THE_DEAD
#endif
        :: else -> goto repaired
        fi;
        if
        :: waiters == 0 -> goto repaired
        :: else -> skip
        fi
    }
    atomic { wakeOne() }
repaired:
    if
    :: atomic { count > 0 && waiters > 0 -> skip }
        atomic { wakeOne() }
    :: !(count > 0 && waiters > 0) -> skip
    fi
}

/* The kernel ends a process. */
inline die() {
    asleep[me] = false;
    d_step {
        for (place : 1 .. SLOTS) {
            if
            :: locked[place] == HANDLE(me) + 1 -> locked[place] = 0
            :: else -> skip
            fi
        }
        if
        :: owner == me -> owner = NOBODY; lost = true
        :: else -> skip
        fi;
        died = true
    }
}

proctype Ours(byte me) {
    byte slot, seen, round, place;
    bool got, sliced, quiet;
    {
        do
        :: if
            :: owner != me -> open(); acquire()
            :: else -> slot = mark
            fi;
            give();
out:
            atomic {
                sliced = false;
                locked[slot] = 0;
                slot = 0;
                round++;
                if
                :: round == ROUNDS -> break
                :: else -> skip
                fi
            }
        od
    } unless { dead[me] };
    if
    :: dead[me] -> die()
    :: else -> skip
    fi
}

#ifdef THREADS
/* A thread of handle 0, which init has opened. */
proctype Thread(byte me) {
    byte slot = 1, seen;
    bool got, sliced = true, quiet;
    acquire();
    give();
out:
    skip
}
#endif

#ifdef PEER
proctype CProgram(byte me) {
    byte round;
    do
    :: round == ROUNDS -> break
    :: else ->
        /* sem_wait: at once, or as one of the waiters. */
        atomic {
            if
            :: count > 0 -> assert(owner == NOBODY); owner = me; count--; goto have
            :: else -> skip
            fi
        }
        waiters++;
again:
        atomic {
            if
            :: count > 0 -> assert(owner == NOBODY); owner = me; count--; waiters--; goto have
            :: else -> asleep[me] = true
            fi
        }
        if
        :: !asleep[me] -> goto again
        /* As documented: the wake-up that a dead process got is made good by the next look of one of ours only. */
        :: asleep[me] && timeout && died -> goto over
        fi;
have:
        /* sem_post, which keeps whatever mark there is. */
        atomic {
            owner = NOBODY;
            count++;
            round++;
            if
            :: waiters > 0 -> skip
            :: else -> goto given
            fi
        }
        atomic { wakeOne() }
given:
        skip
    od;
over:
    skip
}
#endif

/* The one that dies, if any: chosen before, so that one which could still die does not count as one that moves. */
proctype Death() {
    if
    :: mortal != NOBODY -> dead[mortal] = true
    :: else -> skip
    fi
}

init {
    atomic {
#if defined(THREADS)
        opened = 1;
        locked[1] = 1;
        /* Process 2 has opened it and taken it. */
        locked[2] = HANDLE(2) + 1;
        count = 0;
        mark = 2;
        owner = 2;
        if
        :: mortal = 2
        :: mortal = 3
        :: skip
        fi;
        run Thread(0);
        run Thread(1);
        run Ours(2);
        run Ours(3);
#elif defined(PEER)
        if
        :: mortal = 0
        :: skip
        fi;
        run Ours(0);
        run Ours(1);
        run CProgram(2);
#else
        if
        :: mortal = 0
        :: skip
        fi;
        run Ours(0);
        run Ours(1);
        run Ours(2);
#endif
        run Death()
    }
}
