"""Training a denoiser within a budget of steps and seconds."""

from contextlib import contextmanager


def train(args, X_noisy, y_clean, **params):
    """Return a DenoiserVanillaNL fitted to pairs, with a progress bar.

    Parameters
    ----------
    args : argparse.Namespace
        With `steps`, `seconds` and `seed`.
    X_noisy, y_clean : ndarray of shape (n_curves, n_times)
        Pairs of curves in mM.
    **params
        Further parameters of the denoiser.

    Returns
    -------
    denoiser : DenoiserVanillaNL
    """
    from sk_dcedenoise.denoisers import DenoiserVanillaNL

    denoiser = DenoiserVanillaNL(
        **params,
        max_steps=args.steps,
        max_seconds=args.seconds,
        random_state=args.seed,
        verbose=1,
    )
    with one_thread():
        denoiser.fit(X_noisy, y_clean)
    done = denoiser.budget_.steps_done
    if done < args.steps:
        # The learning rate followed the clock, so that another run differs in the last digits.
        print(
            f"Training ended after {args.seconds:g} s at step {done} of {args.steps}: for results "
            "that repeat exactly, raise --seconds."
        )
    return denoiser


@contextmanager
def one_thread():
    """Let torch use one thread, and as many as before afterwards.

    Small convolutions gain little from a second thread, and lose tenfold where other processes
    want the same cores. One thread also adds numbers up in one order on every machine.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
