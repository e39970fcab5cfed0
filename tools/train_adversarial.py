"""Train a generator and its discriminator in real Caffe.

docker/caffe python3 tools/train_adversarial.py -solver G.prototxt -discriminator_solver D.prototxt

The same in PyTorch: gcnet train -solver G.prototxt -discriminator_solver D.prototxt
"""

from gcnet_caffe.real_caffe.two_players import main

main()
