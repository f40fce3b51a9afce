"""The path of an image, one module per step.

register_images, record_predictions, top_up_worklists, push_worklists, receive_readings,
offer_second_looks, reorder_worklists, reach_consensus, cut_training_set, promote_model,
release_dataset;
`synchronise` and `nightly` string steps together.
"""
