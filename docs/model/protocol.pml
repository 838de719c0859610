/* The protocol by which a batch is sent exactly once, as a model for spin. docs/model.md tells what it says and how to
   run it; scripts/model checks it. One campaign of two messages in one batch, two workers, the gateway, the dispatcher,
   a person, disasters, and a clock. */
#include "switches.pml"
#include "state.pml"
#include "worker.pml"
#include "gateway.pml"
#include "dispatcher.pml"
#include "disaster.pml"

init {
  atomic {
    state[0] = (DRAFT -> none : ready);
    if :: MESSAGES == 1 -> message[1] = closed :: else fi;
    if :: COLLISION -> if :: taken = 1 :: MESSAGES == 2 -> taken = 3 fi :: else fi;   /* the two messages are alike */
    key_changed = (KEYCHANGE == 2);
    printf("world taken=%d\n", taken); SHOW;
    run Worker(0); if :: WORKERS == 2 -> run Worker(1) :: else fi;
    run Gateway(); run Dispatcher(); run Person(); run Disaster(); run Clock()
  }
}
