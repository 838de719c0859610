/* What can be turned: times, faults, broken assumptions and mutants. 0 is off. `-DNAME=value` on spin's command line
   sets one; tests/model/variants.py sets them for each variant. Times are in ticks of the model's clock. */

/* ── times: what must hold among them is in docs/assumptions.md ── */
#ifndef HTTP_DEADLINE
#define HTTP_DEADLINE 1    /* from the start of a call to the last moment at which its bytes may leave */
#endif
#ifndef LEASE
#define LEASE 2            /* how long a claim holds */
#endif
#ifndef LATEST_ACT
#define LATEST_ACT 1       /* a request that left may be acted on for so long: by the gateway, or by our own kernel */
#endif
#ifndef UNKNOWN_GRACE
#define UNKNOWN_GRACE 2   /* how long an unanswered request is left alone before the gateway is asked about it */
#endif
#ifndef WINDOW
#define WINDOW 0           /* the gateway may forget a localid after so many ticks; 0: it never forgets */
#endif
#ifndef MARGIN
#define MARGIN 0           /* we stop to believe "never seen" so many ticks before WINDOW */
#endif

/* ── the size of the world ── */
#ifndef MESSAGES
#define MESSAGES 2         /* 1, or 2: then the batch can be halved */
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef BUDGET
#define BUDGET 0           /* at most so many faults in all; 0: as many as you like */
#endif
#ifndef PROGRESS
#define PROGRESS 0         /* 1: a tick passes only when nobody has anything to do; to stand still is a fault */
#endif
#ifndef STANDSTILLS
#define STANDSTILLS 0      /* with PROGRESS: so many ticks may find somebody at work, and cost nothing; 0: they are faults */
#endif
#ifndef PAUSING
#define PAUSING PROGRESS   /* 1: campaigns are paused, by refusals and by a person, and resumed; 2: only by refusals. A pause
                              only keeps steps away, so that only progress needs it */
#endif
#ifndef DYING
#define DYING 1            /* workers die */
#endif
#ifndef CANCELLING
#define CANCELLING 1       /* a person may cancel the campaign */
#endif
#ifndef TRUTH
#define TRUTH 1            /* 0: only second sends are looked for, not untrue records */
#endif
#ifndef DRAFT
#define DRAFT 0            /* 1: the campaign is not cut into batches yet when the model begins */
#endif

/* ── what may happen beside crashes, lost answers and refusals ── */
#ifndef DEDUPE
#define DEDUPE 0           /* the gateway drops a repeated localid and answers with its old record */
#endif
#ifndef RENEW
#define RENEW 0            /* `campaigns epoch renew`, once, at any moment: ready batches get new ids */
#endif
#ifndef RETURNS
#define RETURNS 0          /* how often the database returns to an earlier state: restored, promoted too early … */
#endif
#ifndef RESTARTS
#define RESTARTS 0         /* how often the database's server restarts and loses nothing */
#endif
#ifndef KEYCHANGE
#define KEYCHANGE 0        /* 1: from some moment on workers may run under the key of a second account too; 2: only under
                              that, and the key changed long before the model begins */
#endif
#ifndef CLOCKJUMP
#define CLOCKJUMP 0        /* the database's clock leaps ahead once */
#endif
#ifndef SUPPRESSING
#define SUPPRESSING 0      /* a recipient is put on the suppression list */
#endif
#ifndef COLLISION
#define COLLISION 0        /* another database has used our first ids on this account, some of them or all */
#endif

/* ── assumptions that can be broken: each of these must fail ── */
#ifndef FREEZE
#define FREEZE 0           /* a process stands still between its last look at the clock and the write */
#endif
#ifndef ANSWERS_EARLY
#define ANSWERS_EARLY 0    /* the gateway refuses or throttles, and accepts the messages a moment later */
#endif
#ifndef RENEW_LOST
#define RENEW_LOST 0       /* `epoch renew` was run in the history that was lost */
#endif
#ifndef OLD_DATABASE_LIVES
#define OLD_DATABASE_LIVES 0 /* a worker goes on to claim from the history that was given up */
#endif
#ifndef LOSSY_RESTART
#define LOSSY_RESTART 0    /* a restart loses commits, and only a sample of ready batches is asked about */
#endif
#ifndef UNNOTICED_RETURN
#define UNNOTICED_RETURN 0 /* the database returns and its identity still looks right */
#endif
#ifndef FRESH_PROCESS
#define FRESH_PROCESS 0    /* a process starts after the clock leapt and before anybody noticed, and believes it */
#endif

/* ── mutants of the protocol: each of these must fail ── */
#ifndef NO_IN_TIME
#define NO_IN_TIME 0       /* the lease is not looked at before a request leaves */
#endif
#ifndef LOOKS_ONCE
#define LOOKS_ONCE 0       /* the lease is looked at when the call begins, and not again after connecting */
#endif
#ifndef TWO_CLOCKS
#define TWO_CLOCKS 0       /* the deadline runs on a clock that stands still while the machine sleeps */
#endif
#ifndef NOT_DONE_402
#define NOT_DONE_402 0     /* 402 and 409 are taken for "nothing was created" */
#endif
#ifndef RETRY_409
#define RETRY_409 0        /* a 409 is tried again within the call */
#endif
#ifndef UNDOCUMENTED_IS_NO
#define UNDOCUMENTED_IS_NO 0 /* an undocumented code is taken for "nothing was created" */
#endif
#ifndef REFUSED_IS_NO
#define REFUSED_IS_NO 0    /* a refusal is believed without asking by localid */
#endif
#ifndef PART_OF_ANSWER
#define PART_OF_ANSWER 0   /* ids that an answer leaves out are taken for "never seen" */
#endif
#ifndef WINDOW_AT_CLAIM
#define WINDOW_AT_CLAIM 0  /* the window is judged when the question is claimed */
#endif
#ifndef REFUSAL_WITHOUT_WINDOW
#define REFUSAL_WITHOUT_WINDOW 0 /* after a refusal, "never seen" is believed however old the request is */
#endif
#ifndef OWNER_IS_PROCESS
#define OWNER_IS_PROCESS 0 /* the fence is (process, attempt): both workers are threads of one process */
#endif
#ifndef NO_FENCE
#define NO_FENCE 0         /* a decision is written down whoever holds the batch by now */
#endif
#ifndef ANY_ACCOUNT
#define ANY_ACCOUNT 0      /* an unknown batch is asked about under whatever account comes along */
#endif
#ifndef NO_QUIET
#define NO_QUIET 0         /* a leap of the clock is believed at once */
#endif
#ifndef NO_HANDLING
#define NO_HANDLING 0      /* after the database returned, sending goes on as if nothing had happened */
#endif
#ifndef RENEW_INSTEAD
#define RENEW_INSTEAD 0    /* after the database returned, `epoch renew` is all that is done */
#endif
#ifndef NO_WAIT
#define NO_WAIT 0          /* the handling lets the batches be asked about at once */
#endif
#ifndef OWNERS_KEPT
#define OWNERS_KEPT 0      /* the handling leaves lease owners where they are */
#endif
#ifndef DRAFTS_READY
#define DRAFTS_READY 0     /* what is cut after the handling is born ready */
#endif
#ifndef RENEW_ANYWHERE
#define RENEW_ANYWHERE 0   /* `epoch renew` does not ask whether the database's identity is right */
#endif
#ifndef COLLISION_FORGETS
#define COLLISION_FORGETS 0 /* a collision found by a question throws away what is ours */
#endif
#ifndef NO_LAPSE
#define NO_LAPSE 0         /* nobody looks for leases that ran out */
#endif

/* ── mutants that the code once was, found with this model and mended: each of these must fail ── */
#ifndef ENDS_BEFORE_HANDLING
#define ENDS_BEFORE_HANDLING 0 /* between return and handling, messages are recorded as cancelled, refused or uncertain */
#endif
#ifndef LOST_SINCE_TICKS
#define LOST_SINCE_TICKS 0 /* the restored database's own ticks count as a sign of life of the history that was lost */
#endif
#ifndef SUPPRESSED_AT_CUT
#define SUPPRESSED_AT_CUT 0 /* a draft's recipients are suppressed when it is cut, though it may have left before a restore */
#endif
#ifndef ACCOUNT_UNSET
#define ACCOUNT_UNSET 0    /* after a return, what was ready is asked about under the first account, not under the one in use */
#endif
#ifndef MOVED_AT_START
#define MOVED_AT_START 0   /* a draft of before `epoch renew` gets its new ids when it is started, and not at the renewal */
#endif
#ifndef COLLISION_UNFENCED
#define COLLISION_UNFENCED 0 /* a collision in the answer to a send sets messages apart whether or not the claim holds */
#endif
