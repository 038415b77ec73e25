"""Write a digital phantom as NIfTI files, with the truth beside it, to try the other commands on.

Tissues, a lesion and two arteries; 40 frames, 5 s apart, the bolus at 20 s. Writes to DIR:
phantom.nii.gz (mM), signal.nii.gz, mask.nii.gz, lesion.nii.gz, artery.nii.gz, labels.nii.gz,
T10.nii.gz, truth_Ktrans.nii.gz and so on, aif.csv (plasma, s and mM), and run.json. The arteries
hold blood with a haematocrit of 0.42.

Example: sk-dcedenoise phantom --out phantom, then sk-dcedenoise map phantom/phantom.nii.gz
--mask phantom/mask.nii.gz --aif phantom/artery.nii.gz --hematocrit 0.42 --out maps
"""

from sk_dcedenoise.cli._arguments import (
    add_out,
    add_seed,
    non_negative_number,
    positive_integer,
)
from sk_dcedenoise.cli._write import output_folder, settings_of


def add_arguments(parser):
    """Add the arguments of this command."""
    add_out(parser, out="phantom")
    parser.add_argument(
        "--shape",
        type=positive_integer,
        nargs=3,
        default=(128, 128, 8),
        metavar=("X", "Y", "Z"),
        help="voxels along each axis (default: 128 128 8)",
    )
    parser.add_argument(
        "--noise",
        type=non_negative_number,
        default=0.03,
        metavar="MM",
        help="standard deviation of the noise in mM (default: 0.03)",
    )
    add_seed(parser)


def run(args):
    """Run the command."""
    from sk_dcedenoise.datasets import make_dce_phantom
    from sk_dcedenoise.volumes import save_phantom

    phantom = make_dce_phantom(tuple(args.shape), noise_std=args.noise, random_state=args.seed)
    with output_folder(args.out, "phantom", settings_of(args)) as out:
        save_phantom(phantom, out)
    print(f"Wrote a phantom of {' x '.join(map(str, args.shape))} voxels to {args.out}.")
